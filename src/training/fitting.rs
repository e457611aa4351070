//! Batches that fit into the memory: how many pictures an evaluation takes at once, and what helps where a step does not fit.

use tch::{Device, Tensor};

use super::options::TrainOptions;
use crate::activity::{console, interrupt};
use crate::error::{Error, ErrorKind, Result};
use crate::models::Model;
use crate::models::precision::Precision;

/// Pixels of the pictures that a GPU takes at once where no gradient is needed: 41 pictures of 448 × 448, which are estimated to
/// take 2 to 3 GB in ResNet-101.
const PIXELS: i64 = 1 << 23;
/// Pictures at once on a GPU, however small.
const MOST: usize = 256;

/// The number of pictures of `side` × `side` pixels that are evaluated at once: `on_cpu` on the CPU, where it decides the last bits of
/// results, and by pixels on a GPU.
pub fn at_once(device: Device, side: i64, on_cpu: usize) -> usize {
    match device {
        Device::Cpu => on_cpu,
        _ => (PIXELS / (side * side).max(1)).clamp(1, MOST as i64) as usize,
    }
}

/// Passes over a split without a gradient, of so many pictures at once that they fit into the memory.
pub struct Fitting {
    /// What is computed, as in "teacher outputs".
    what: &'static str,
    side: i64,
    batch: usize,
    /// At most `batch`, halved whenever memory ends.
    most: usize,
}

impl Fitting {
    /// Does `work`, which computes `what` in batches. `on_cpu`: pictures at once on the CPU.
    ///
    /// Errors: those of `work`; one of memory, wherever in it, says batch and size.
    pub fn over<R>(
        what: &'static str,
        model: &Model,
        on_cpu: usize,
        work: impl FnOnce(&mut Fitting) -> Result<R>,
    ) -> Result<R> {
        let side = model.image_size();
        let batch = at_once(model.device, side, on_cpu);
        Fitting { what, side, batch, most: batch }.named(work)
    }

    fn named<R>(mut self, work: impl FnOnce(&mut Fitting) -> Result<R>) -> Result<R> {
        work(&mut self).map_err(|error| match error.kind {
            ErrorKind::Memory => {
                let Fitting { what, side, most, .. } = self;
                let pictures = if most == 1 { "one picture".to_string() } else { format!("{most} pictures at once") };
                let message = format!("{what}: {pictures} of {side} × {side} pixels: {error}");
                Error { message, ..error }
            }
            _ => error,
        })
    }

    /// Pictures per batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// `compute` of a batch `[n, ...]`, which gives a row per picture. Where memory ends, the batch is taken in parts of half the size, down
    /// to one picture, and so are those that follow; this is said once.
    ///
    /// Errors: those of `compute`, Memory if one picture does not fit; Interrupted.
    pub fn run(&mut self, x: &Tensor, compute: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let n = x.size().first().copied().unwrap_or(0);
        let (mut parts, mut at) = (Vec::new(), 0);
        loop {
            let take = (self.most as i64).min(n - at);
            let part = if take == n { x.shallow_clone() } else { x.f_narrow(0, at, take)? };
            match compute(&part) {
                Ok(rows) => {
                    parts.push(rows);
                    at += take;
                }
                Err(error) if error.kind == ErrorKind::Memory && take > 1 => {
                    interrupt::check()?;
                    self.halve(take as usize);
                }
                Err(error) => return Err(error),
            }
            if at >= n {
                break;
            }
        }
        match parts.len() {
            1 => Ok(parts.swap_remove(0)),
            _ => Ok(Tensor::f_cat(&parts, 0)?),
        }
    }

    fn halve(&mut self, failed: usize) {
        if self.most == self.batch {
            let (what, side) = (self.what, self.side);
            console::log(&format!(
                "{what}: {failed} pictures of {side} × {side} pixels at once do not fit into the memory; fewer are taken at once"
            ));
        }
        self.most = (failed / 2).max(1);
    }
}

/// The error of a step of a training; one of memory with its batch, and with what helps.
pub fn in_step(error: Error, options: &TrainOptions, side: i64) -> Error {
    if error.kind != ErrorKind::Memory {
        return error;
    }
    let batch = options.batch;
    let mut help = Vec::new();
    if batch > 1 {
        let (half, twice) = (batch.div_ceil(2), 2 * options.accumulate);
        help.push(format!("batch: {half} with accumulate: {twice} has the same pictures per update"));
    }
    if options.precision == Precision::Float32 {
        help.push("precision: \"bfloat16\" takes about half the memory in the backbone".into());
    }
    help.push("a smaller image_size, or more frozen stages (freeze), need less".into());
    let message = format!("a step with batch {batch}, pictures of {side} × {side} pixels: {error}");
    Error { message, ..error }.with_help(help.join("; "))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tch::Kind;

    use super::*;

    fn fitting(batch: usize) -> Fitting {
        Fitting { what: "test", side: 448, batch, most: batch }
    }

    fn ended() -> Error {
        crate::torch::faults::error(
            "CUDA out of memory. Tried to allocate 2.26 GiB. GPU 0 has a total capacity of 6.00 GiB of which 1.00 GiB is free.",
        )
    }

    #[test]
    fn the_cpu_keeps_its_batch_and_a_gpu_has_one_by_pixels() {
        assert_eq!(at_once(Device::Cpu, 448, 256), 256);
        let gpu = |side| at_once(Device::Cuda(0), side, 16);
        assert_eq!([gpu(32), gpu(224), gpu(448), gpu(576), gpu(5000)], [256, 167, 41, 25, 1]);
    }

    #[test]
    fn a_batch_that_does_not_fit_is_taken_in_parts_and_gives_the_same_rows() {
        crate::activity::console::set_quiet(true);
        let x = Tensor::arange(22, (Kind::Float, Device::Cpu)).view([11, 2]);
        let taken = RefCell::new(Vec::new());
        let compute = |part: &Tensor| {
            taken.borrow_mut().push(part.size()[0]);
            if part.size()[0] > 3 { Err(ended()) } else { Ok(part.f_mul_scalar(2.0)?) }
        };
        let mut fitting = fitting(11);
        assert_eq!(fitting.run(&x, compute).unwrap(), &x * 2.0);
        assert_eq!(*taken.borrow(), [11, 5, 2, 2, 2, 2, 2, 1]);
        // The next batch begins with what fitted.
        taken.borrow_mut().clear();
        assert_eq!(fitting.run(&x.narrow(0, 0, 4), compute).unwrap(), x.narrow(0, 0, 4) * 2.0);
        assert_eq!(*taken.borrow(), [2, 2]);
    }

    #[test]
    fn one_picture_that_does_not_fit_and_other_errors_end_it() {
        let x = Tensor::zeros([2, 2], (Kind::Float, Device::Cpu));
        let error = fitting(2).named(|fitting| fitting.run(&x, |_| Err(ended()))).unwrap_err();
        assert!(error.message.starts_with("test: one picture of 448 × 448 pixels: out of memory on cuda:0"), "{error}");
        // Whatever else of it does not fit: the upload of a batch, the rows of all.
        let error = fitting(2).named(|_| Err::<(), _>(ended())).unwrap_err();
        assert!(
            error.message.starts_with("test: 2 pictures at once of 448 × 448 pixels: out of memory on cuda:0"),
            "{error}"
        );
        let calls = RefCell::new(0);
        let error = fitting(2).run(&x, |_| {
            *calls.borrow_mut() += 1;
            Err(Error::data("a picture"))
        });
        assert_eq!((error.unwrap_err().message.as_str(), *calls.borrow()), ("a picture", 1));
    }

    #[test]
    fn a_step_that_does_not_fit_names_its_batch_and_what_helps() {
        let options = TrainOptions { batch: 64, accumulate: 2, ..TrainOptions::default() };
        let error = in_step(ended(), &options, 448);
        assert!(
            error
                .message
                .starts_with("a step with batch 64, pictures of 448 × 448 pixels: out of memory on cuda:0: 2.26 GiB")
        );
        let help = error.help.unwrap();
        assert!(help.starts_with("batch: 32 with accumulate: 4 has the same pictures per update; precision"), "{help}");
        let error = in_step(Error::data("x"), &options, 448);
        assert_eq!((error.message.as_str(), error.help), ("x", None));
    }
}
