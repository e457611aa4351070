//! Batch normalisation by the statistics of a batch that several processes share.

use std::cell::RefCell;
use std::sync::Arc;

use tch::{Kind, Tensor};

use crate::distributed::Group;
use crate::error::Result;

thread_local!(static GROUP: RefCell<Option<Arc<Group>>> = const { RefCell::new(None) });

/// While it lives, batch norms in training on this thread take the statistics of all processes of a group.
pub struct SyncNorms(Option<Arc<Group>>);

impl SyncNorms {
    /// Without a group, each process takes those of its own images.
    pub fn enter(group: Option<Arc<Group>>) -> SyncNorms {
        SyncNorms(GROUP.replace(group))
    }
}

impl Drop for SyncNorms {
    fn drop(&mut self) {
        GROUP.set(self.0.take());
    }
}

/// The group whose statistics count, if there is one.
pub(super) fn group() -> Option<Arc<Group>> {
    GROUP.with_borrow(Clone::clone)
}

/// The parameters of a batch norm, each `[C]`.
pub(super) struct Norm<'a> {
    pub weight: &'a Tensor,
    pub bias: &'a Tensor,
    pub mean: &'a Tensor,
    pub variance: &'a Tensor,
    pub momentum: f64,
    pub eps: f64,
}

/// `[N, C, ...]` normalised by mean and variance of all processes' values; the running statistics move towards them. Equals the
/// batch norm of one process that has all images.
///
/// The variance is of differences to the mean, as a difference of sums would lose digits: two sums over all processes, and two
/// in the backward pass.
pub(super) fn normalised(x: &Tensor, norm: &Norm, group: &Group) -> Result<Tensor> {
    let input = x.f_to_kind(Kind::Float)?;
    let channels = norm.weight.size()[0];
    let others: Vec<i64> = (0..input.dim() as i64).filter(|d| *d != 1).collect();
    let mut along = vec![1; input.dim()];
    along[1] = channels;
    let values = input.numel() as i64 / channels;
    let count = Tensor::f_full([1], values as f64, (Kind::Float, input.device()))?;
    let sum = |x: &Tensor| -> Result<Tensor> { Ok(x.f_sum_dim_intlist(Some(&others[..]), false, None::<Kind>)?) };
    let sums = group.sum(&Tensor::f_cat(&[sum(&input)?, count], 0)?)?;
    let all = sums.f_detach()?.f_narrow(0, channels, 1)?;
    let mean = sums.f_narrow(0, 0, channels)?.f_div(&all)?;
    let centred = input.f_sub(&mean.f_view(along.as_slice())?)?;
    let variance = group.sum(&sum(&centred.f_square()?)?)?.f_div(&all)?;
    tch::no_grad(|| -> Result<()> {
        // As PyTorch: the running variance is that of an unbiased estimate.
        let unbiased = variance.f_mul(&all)?.f_div(&all.f_sub_scalar(1.0)?.f_clamp_min(1.0)?)?;
        for (running, now) in [(norm.mean, &mean), (norm.variance, &unbiased)] {
            let _ = running.shallow_clone().f_lerp_(now, norm.momentum)?;
        }
        Ok(())
    })?;
    let scale = variance.f_add_scalar(norm.eps)?.f_rsqrt()?.f_mul(norm.weight)?;
    let y = centred.f_mul(&scale.f_view(along.as_slice())?)?.f_add(&norm.bias.f_view(along.as_slice())?)?;
    Ok(y.f_to_kind(x.kind())?)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::distributed::{Engine, Place, Store};
    use crate::models::layers::BatchNorm;
    use crate::models::params::{Params, Scope};

    /// What a batch norm gives and learns of `x`, whose output is weighted by `target`: output, gradients of the input, weight and
    /// bias, running statistics.
    fn through(x: &Tensor, target: &Tensor) -> [Tensor; 6] {
        let params = RefCell::new(Params::default());
        let norm = BatchNorm::new(&Scope::root(&params, 0, Device::Cpu), 3, 1e-5).unwrap();
        let x = x.detach().copy().set_requires_grad(true);
        let y = norm.forward(&x, true).unwrap();
        (&y * target).sum(Kind::Float).backward();
        let list = params.into_inner().list;
        let of = |name: &str| list.iter().find(|p| p.name == name).unwrap().tensor.shallow_clone();
        [y.detach(), x.grad(), of("weight").grad(), of("bias").grad(), of("running_mean"), of("running_var")]
    }

    #[test]
    fn two_processes_normalise_as_one_with_all_images() {
        tch::manual_seed(1);
        let options = (Kind::Float, Device::Cpu);
        let (x, target) = (Tensor::randn([5, 3, 4, 2], options) * 2.0 + 7.0, Tensor::randn([5, 3, 4, 2], options));
        let whole = through(&x, &target);
        let (_store, port) = Store::serve().unwrap();
        let parts: Vec<[Tensor; 6]> = std::thread::scope(|scope| {
            let rank = |rank: usize| {
                let (x, target) =
                    ([x.narrow(0, 0, 3), x.narrow(0, 3, 2)], [target.narrow(0, 0, 3), target.narrow(0, 3, 2)]);
                let (x, target) = (x[rank].copy(), target[rank].copy());
                scope.spawn(move || {
                    let host = "127.0.0.1".to_string();
                    let place = Place { rank, size: 2, local_rank: rank, host, port, serves: false };
                    let group = Arc::new(Group::join(&place, Engine::Gloo).unwrap());
                    let _norms = SyncNorms::enter(Some(group));
                    through(&x, &target)
                })
            };
            [rank(0), rank(1)].map(|thread| thread.join().unwrap()).into()
        });
        let [a, b] = &parts[..] else { panic!() };
        let near = |came: Tensor, expected: &Tensor, what: &str| {
            let gap = f64::try_from((came - expected).abs().max()).unwrap();
            assert!(gap < 2e-5, "{what}: {gap}");
        };
        near(Tensor::cat(&[&a[0], &b[0]], 0), &whole[0], "output");
        near(Tensor::cat(&[&a[1], &b[1]], 0), &whole[1], "gradient of the input");
        near(&a[2] + &b[2], &whole[2], "gradient of the weight");
        near(&a[3] + &b[3], &whole[3], "gradient of the bias");
        for part in [a, b] {
            near(part[4].shallow_clone(), &whole[4], "running mean");
            near(part[5].shallow_clone(), &whole[5], "running variance");
        }
    }
}
