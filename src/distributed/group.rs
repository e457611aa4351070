//! The processes that compute one thing together: sums, copies and waits.

use std::ffi::c_int;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::LOST;
use super::native::{self, Handle, message, text};
use super::place::Place;
use super::store::{GRACE, Store};
use crate::activity::interrupt;
use crate::environment;
use crate::error::{Error, ErrorKind, Result};

/// By which library tensors travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Over TCP, for tensors of the CPU; those of a GPU go through the CPU.
    Gloo,
    /// From GPU to GPU. Every process needs a GPU of its own.
    Nccl,
}

/// The variable that chooses one: "gloo" or "nccl".
const ENGINE: &str = "CPSD_BACKEND";

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Engine::Gloo => "gloo",
            Engine::Nccl => "nccl",
        }
    }

    /// The name that `CPSD_BACKEND` has.
    fn asked() -> Option<String> {
        environment::text(ENGINE)
    }

    /// Whether several processes may use one GPU: over Gloo, if `CPSD_BACKEND` asks for it. NCCL refuses that.
    pub fn lets_share_gpus() -> bool {
        Engine::asked().as_deref() == Some("gloo")
    }

    /// That of `CPSD_BACKEND`, or NCCL for GPUs where libtorch has it, else Gloo. Errors: another name, or one that is not there.
    pub fn for_device(device: Device) -> Result<Engine> {
        // SAFETY: no arguments.
        let has_nccl = device.is_cuda() && unsafe { native::cpsd_has_nccl() } != 0;
        match Engine::asked().as_deref() {
            Some("gloo") => Ok(Engine::Gloo),
            Some("nccl") if has_nccl => Ok(Engine::Nccl),
            Some("nccl") => Err(Error::argument(format!(
                "{ENGINE} is \"nccl\", which needs GPUs and a libtorch with NCCL; here the device is {}",
                crate::devices::name(device)
            ))),
            Some(other) => Err(Error::argument(format!("{ENGINE} must be \"gloo\" or \"nccl\"; got \"{other}\""))),
            None => Ok(if has_nccl { Engine::Nccl } else { Engine::Gloo }),
        }
    }
}

/// All processes of a [`Place`], connected. Every process must make the same calls in the same order.
pub struct Group {
    rank: usize,
    size: usize,
    engine: Engine,
    serves: bool,
    handle: Handle,
    // After the handle, which uses it.
    store: Store,
}

// SAFETY: the backends lock their state; calls in the same order are the callers' duty, as on one thread.
unsafe impl Send for Group {}
unsafe impl Sync for Group {}

/// How long the processes wait for the last of them to begin.
const JOINING: Duration = Duration::from_secs(600);
/// How long connections may take once all have begun.
const CONNECTING: Duration = Duration::from_secs(120);
/// How long one operation may take: the slowest process's time between two of them.
const OPERATION: Duration = Duration::from_secs(30 * 60);

impl Group {
    /// Meets the other processes.
    ///
    /// Errors: some did not come, named; the engine cannot connect them; Interrupted.
    pub fn join(place: &Place, engine: Engine) -> Result<Group> {
        let (rank, size) = (place.rank, place.size);
        let store = Store::of(place)?;
        // Looked at here, since the engines' own waits cannot be stopped.
        store.set(&format!("here/{rank}"), &[])?;
        let started = Instant::now();
        for other in 0..size {
            let left = JOINING.saturating_sub(started.elapsed());
            if store.wait(&[format!("here/{other}")], Some(left))?.is_none() {
                let mut absent = Vec::new();
                for rank in 0..size {
                    if store.get(&format!("here/{rank}"))?.is_none() {
                        absent.push(rank.to_string());
                    }
                }
                return Err(Error::new(
                    ErrorKind::Io,
                    format!(
                        "rank {rank} of {size} waited {} s for rank {}, which did not begin",
                        JOINING.as_secs(),
                        absent.join(", ")
                    ),
                )
                .with_help("all processes must run the same training; their own output says why one does not"));
            }
        }
        let mut handle: Handle = std::ptr::null_mut();
        let prefix = text(engine.name())?;
        // SAFETY: the arguments live through the call; the group keeps what it needs of the store.
        let failed = unsafe {
            native::cpsd_group_new(
                store.handle(),
                prefix.as_ptr(),
                (engine == Engine::Nccl).into(),
                rank as c_int,
                size as c_int,
                CONNECTING.as_millis() as i64,
                OPERATION.as_millis() as i64,
                &mut handle,
            )
        };
        match message(failed) {
            None => Ok(Group { rank, size, engine, serves: place.serves, handle, store }),
            Some(cause) => Err(Error::new(
                ErrorKind::Io,
                format!("rank {rank} of {size} cannot be connected to the others by {}: {cause}", engine.name()),
            )
            .with_help("GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME name the network interface to use")),
        }
    }

    /// From 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.size
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Whether the store ends with this process.
    pub fn serves(&self) -> bool {
        self.serves
    }

    /// Small values that all processes read.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Replaces a tensor, contiguous and of the same shape everywhere, by its sum over all processes.
    ///
    /// Errors: another process has ended; Interrupted, a while after this process was asked to stop. After an error the group is
    /// of no use.
    pub fn all_reduce(&self, tensor: &Tensor) -> Result<()> {
        // SAFETY: both pointers live; the engine keeps the tensor until the work is done.
        self.done("a sum", |pending| unsafe {
            native::cpsd_group_all_reduce(self.handle, tensor.as_ptr().cast_mut().cast(), pending)
        })
    }

    /// Replaces a tensor, contiguous and of the same shape everywhere, by that of process `root`. Errors: as for
    /// [`all_reduce`](Self::all_reduce).
    pub fn broadcast(&self, tensor: &Tensor, root: usize) -> Result<()> {
        // SAFETY: as above.
        self.done("a copy", |pending| unsafe {
            native::cpsd_group_broadcast(self.handle, tensor.as_ptr().cast_mut().cast(), root as c_int, pending)
        })
    }

    /// Returns when all processes have called it. Errors: as for [`all_reduce`](Self::all_reduce).
    pub fn barrier(&self, device: Device) -> Result<()> {
        let one = Tensor::f_ones([1], (Kind::Float, device))?;
        self.all_reduce(&one)?;
        // On a GPU the sum is only in its queue until it is read.
        f64::try_from(&one)?;
        Ok(())
    }

    /// The sum of a tensor over all processes, through which gradients flow: that of a sum is the sum of the gradients. The
    /// backward passes of all processes must be of the same form.
    ///
    /// Errors: another process has ended.
    pub fn sum(&self, tensor: &Tensor) -> Result<Tensor> {
        let mut sum: Handle = std::ptr::null_mut();
        // SAFETY: both pointers live through the call; the group outlives the backward pass.
        let failed = unsafe { native::cpsd_group_sum(self.handle, tensor.as_ptr().cast_mut().cast(), &mut sum) };
        match message(failed) {
            Some(cause) => Err(self.lost("a sum", cause)),
            // SAFETY: a tensor that was made for this call, and belongs to it.
            None => Ok(unsafe { Tensor::from_ptr(sum.cast()) }),
        }
    }

    /// Begins an operation and waits for it. On a GPU's stream the GPU waits, and this process goes on.
    fn done(&self, what: &str, begin: impl FnOnce(*mut Handle) -> *mut std::ffi::c_char) -> Result<()> {
        /// Freed on every way out.
        struct Pending(Handle);
        impl Drop for Pending {
            fn drop(&mut self) {
                // SAFETY: made by an operation, freed once.
                unsafe { native::cpsd_pending_free(self.0) }
            }
        }
        let mut pending = Pending(std::ptr::null_mut());
        if let Some(cause) = message(begin(&mut pending.0)) {
            return Err(self.lost(what, cause));
        }
        let started = Instant::now();
        let mut asked: Option<Instant> = None;
        loop {
            let mut done = 0;
            // SAFETY: the operation lives.
            if let Some(cause) = message(unsafe { native::cpsd_pending_done(pending.0, &mut done) }) {
                return Err(self.lost(what, cause));
            }
            if done != 0 {
                return Ok(());
            }
            if interrupt::requested() && asked.get_or_insert_with(Instant::now).elapsed() > GRACE {
                return Err(Error::interrupted());
            }
            match started.elapsed().as_micros() {
                0..200 => std::thread::yield_now(),
                200..20_000 => std::thread::sleep(Duration::from_micros(50)),
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn lost(&self, what: &str, cause: String) -> Error {
        let Group { rank, size, .. } = self;
        Error::new(ErrorKind::Io, format!("rank {rank} of {size} {LOST} during {what}: {cause}"))
            .with_help("one of them has ended, or the network is down; their own messages say why")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: made by `cpsd_group_new`, freed once.
        unsafe { native::cpsd_group_free(self.handle) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Runs `work` on one thread per rank, each with a group of its own.
    fn ranks<R: Send>(size: usize, work: impl Fn(Group) -> R + Sync) -> Vec<R> {
        let (_store, port) = Store::serve().unwrap();
        let joined = Barrier::new(size);
        std::thread::scope(|scope| {
            let (work, joined) = (&work, &joined);
            let rank = |rank: usize| {
                scope.spawn(move || {
                    let host = "127.0.0.1".to_string();
                    let place = Place { rank, size, local_rank: rank, host, port, serves: false };
                    let group = Group::join(&place, Engine::Gloo);
                    // One that leaves at once would end the joining of the others.
                    joined.wait();
                    work(group.unwrap())
                })
            };
            let threads: Vec<_> = (0..size).map(rank).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        crate::torch::to_vec_f32(tensor).unwrap()
    }

    #[test]
    fn processes_sum_copy_and_tell() {
        let came = ranks(3, |group| {
            let own = Tensor::from_slice(&[1.0f32, group.rank() as f32]);
            group.barrier(Device::Cpu).unwrap();
            let sum = own.copy();
            group.all_reduce(&sum).unwrap();
            group.broadcast(&own, 2).unwrap();
            if group.rank() == 1 {
                group.store().set("told", b"by one").unwrap();
            }
            let told = group.store().wait(&["absent".into(), "told".into()], None).unwrap().unwrap();
            assert_eq!(group.store().wait(&["absent".into()], Some(Duration::ZERO)).unwrap(), None);
            (values(&sum), values(&own), told)
        });
        for one in came {
            assert_eq!(one, (vec![3.0, 3.0], vec![1.0, 2.0], (1, b"by one".to_vec())));
        }
    }

    #[test]
    fn nccl_sums_on_a_gpu() {
        // SAFETY: no arguments.
        if !tch::Cuda::is_available() || unsafe { native::cpsd_has_nccl() } == 0 {
            println!("skipped: no GPU, or a libtorch without NCCL");
            return;
        }
        let (_store, port) = Store::serve().unwrap();
        let host = "127.0.0.1".to_string();
        let place = Place { rank: 0, size: 1, local_rank: 0, host, port, serves: false };
        let group = Group::join(&place, Engine::Nccl).unwrap();
        let x = Tensor::from_slice(&[1.0f32, 2.0]).to_device(Device::Cuda(0));
        group.all_reduce(&x).unwrap();
        group.broadcast(&x, 0).unwrap();
        assert_eq!(values(&x), [1.0, 2.0]);
        group.barrier(Device::Cuda(0)).unwrap();
        let x = x.set_requires_grad(true);
        group.sum(&x).unwrap().square().sum(Kind::Float).backward();
        assert_eq!(values(&x.grad()), [2.0, 4.0]);
    }

    #[test]
    fn a_process_that_has_gone_is_an_error_of_one_sentence() {
        let came = ranks(2, |group| {
            if group.rank() == 1 {
                return None;
            }
            group.all_reduce(&Tensor::from_slice(&[1.0f32])).err()
        });
        let error = came[0].as_ref().unwrap();
        assert!(error.message.starts_with("rank 0 of 2 lost the other processes during a sum: "), "{}", error.message);
        assert!(!error.message.contains('\n') && !error.message.contains(".cc:"), "{}", error.message);
        assert!(crate::distributed::is_lost(error));
    }

    #[test]
    fn gradients_of_a_sum_are_summed() {
        let came = ranks(2, |group| {
            let x = Tensor::from_slice(&[1.0f32 + group.rank() as f32]).set_requires_grad(true);
            let sum = group.sum(&x).unwrap();
            (sum.square() * (1.0 + group.rank() as f64)).sum(Kind::Float).backward();
            (values(&sum), values(&x.grad()))
        });
        // d/dx of s² and 2 s² at s = 3.
        assert_eq!(came, vec![(vec![3.0], vec![18.0]); 2]);
    }
}
