//! The processes that train one model, seen from one of them.
//!
//! A step's images are split: each process takes a consecutive part of every batch, and the gradients are summed. So that the
//! sum is the gradient of the whole batch's loss, a process's loss counts by its share ([`Part`]). Rank 0 evaluates, writes the
//! run, and tells the others.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tch::{Device, Tensor};

use super::options::TrainOptions;
use crate::activity::message::Message;
use crate::devices;
use crate::distributed::{Engine, Group, Place, is_lost};
use crate::error::{Error, ErrorKind, Result};
use crate::losses::Reduction;
use crate::models::Slice;

/// This process's group, which all its trainings share one after the other.
static WORLD: Mutex<World> = Mutex::new(World { group: None, trainings: 0, broken: None });

struct World {
    group: Option<Arc<Group>>,
    /// The number of trainings so far, part of the keys of what is told.
    trainings: u64,
    /// Why the group is of no use any more.
    broken: Option<String>,
}

/// Gives up this process's group before the process ends, if it is one of NCCL, whose threads would miss the store of others that
/// have ended. A group of Gloo is left as it is: it has no such threads, and ending it waits for operations under way.
pub fn leave() {
    if let Some(mut world) = WORLD.try_lock() {
        world.group.take_if(|group| group.engine() == Engine::Nccl);
    }
}

/// The processes of one training. Without others, everything here does nothing.
pub struct Peers {
    seat: Option<Seat>,
}

struct Seat {
    world: MutexGuard<'static, World>,
    group: Arc<Group>,
    training: u64,
}

impl Peers {
    pub fn alone() -> Peers {
        Peers { seat: None }
    }

    /// Joins the other processes if the options ask for several. Chooses this process's GPU.
    ///
    /// Errors: the environment has another number of processes or none; fewer GPUs than processes; another such training is under
    /// way; the others do not come; Interrupted.
    pub fn of(options: &TrainOptions) -> Result<Peers> {
        if options.nproc == 1 {
            return Ok(Peers::alone());
        }
        let place = Place::from_environment()?
            .ok_or_else(|| Error::internal("a training of several processes was begun in one that has no rank"))?;
        check_size(&place, options)?;
        // Not waited for: the training that has it may be this thread's own, in a closure of which this one is asked for.
        let mut world = WORLD.try_lock().ok_or_else(|| {
            Error::argument("these processes already train a model together, and do one such training at a time")
                .about_option("nproc")
        })?;
        if let Some(why) = &world.broken {
            return Err(Error::new(
                ErrorKind::Io,
                format!("these processes cannot train together any more, since an earlier training failed: {why}"),
            ));
        }
        let group = match &world.group {
            Some(group) => group.clone(),
            None => {
                let device = choose_device(&place)?;
                let group = Arc::new(Group::join(&place, Engine::for_device(device)?)?);
                world.group = Some(group.clone());
                group
            }
        };
        world.trainings += 1;
        let training = world.trainings;
        Ok(Peers { seat: Some(Seat { world, group, training }) })
    }

    pub fn rank(&self) -> usize {
        self.seat.as_ref().map_or(0, |seat| seat.group.rank())
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.seat.as_ref().map_or(1, |seat| seat.group.size())
    }

    /// Whether this process evaluates and writes the run.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// The group, where there are others.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.seat.as_ref().map(|seat| &seat.group)
    }

    /// The library by which tensors travel, where there are others.
    pub fn engine(&self) -> Option<&'static str> {
        self.group().map(|group| group.engine().name())
    }

    /// The positions in a batch of `images` that are this process's: the sizes of all parts differ by one at most.
    pub fn part(&self, images: usize) -> Range<usize> {
        part(self.rank(), self.size(), images)
    }

    /// Steps between two reads of the loss, at which the processes also agree to stop or to write a checkpoint: `most`, or 1 among
    /// several processes on CPUs, where reading costs nothing and steps are long.
    pub fn read_every(&self, most: u64, device: Device) -> u64 {
        if self.size() > 1 && !device.is_cuda() { 1 } else { most }
    }

    /// Replaces a tensor by its sum over all processes. Errors: one has ended.
    pub fn sum(&self, tensor: &Tensor) -> Result<()> {
        self.group().map_or(Ok(()), |group| group.all_reduce(tensor))
    }

    /// Replaces tensors by those of rank 0. Errors: one has ended.
    pub fn copy_first<'a>(&self, tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<()> {
        let Some(group) = self.group() else { return Ok(()) };
        tensors.into_iter().try_for_each(|tensor| group.broadcast(tensor, 0))
    }

    /// The sums over all processes of the losses `[]` and of further numbers `[]`, f64 and in this order, and whether any of them is to
    /// stop, or to write a checkpoint. One tensor is summed and read.
    pub fn agree(
        &self,
        loss: Tensor,
        more: Vec<Tensor>,
        stopping: bool,
        saving: bool,
    ) -> Result<(Vec<f64>, bool, bool)> {
        let mut numbers = vec![loss];
        numbers.extend(more);
        let numbers = Tensor::f_stack(&numbers, 0)?;
        let several = self.size() > 1;
        let all = match several {
            false => numbers,
            true => {
                let flags = [f64::from(u8::from(stopping)), f64::from(u8::from(saving))];
                let flags = crate::torch::upload(&Tensor::f_from_slice(&flags)?, numbers.device())?;
                let all = Tensor::f_cat(&[numbers, flags], 0)?;
                self.sum(&all)?;
                all
            }
        };
        let mut read = Vec::<f64>::try_from(&crate::torch::read_back(&all)?)?;
        if !several {
            return Ok((read, stopping, saving));
        }
        let flags = read.split_off(read.len() - 2);
        Ok((read, flags[0] > 0.0, flags[1] > 0.0))
    }

    /// Tells the others a value. Errors: their store is gone.
    pub fn tell(&self, what: &str, value: &Value) -> Result<()> {
        let Some(seat) = &self.seat else { return Ok(()) };
        seat.group.store().set(&seat.key(what), value.to_string().as_bytes())
    }

    /// Waits for a value that rank 0 tells, however long that takes.
    ///
    /// Errors: rank 0 has ended; the error of a process; Interrupted.
    pub fn hear(&self, what: &str) -> Result<Value> {
        let Some(seat) = &self.seat else { return Err(Error::internal(format!("nobody tells {what}"))) };
        let keys = [seat.key(what), seat.key(FAILED)];
        let Some((which, value)) = seat.group.store().wait(&keys, None)? else {
            return Err(Error::internal("a wait without end has ended"));
        };
        let value: Value =
            crate::json::parse(&value).map_err(|e| Error::internal(format!("{what} is not what rank 0 told: {e}")))?;
        if which == 0 {
            return Ok(value);
        }
        match serde_json::from_value(value) {
            Ok(Message::Failed { kind, message, help, about }) => Err(Error { kind, message, help, about }),
            _ => Err(Error::internal("another process has failed, and its error cannot be read")),
        }
    }

    /// Waits for all, however long that takes. Errors: rank 0 has ended; the error of a process; Interrupted.
    pub fn meet(&self, what: &str) -> Result<()> {
        let Some(seat) = &self.seat else { return Ok(()) };
        seat.group.store().set(&seat.key(&format!("{what}/{}", self.rank())), b"{}")?;
        (0..self.size()).try_for_each(|rank| self.hear(&format!("{what}/{rank}")).map(drop))
    }

    /// Ends a training. An error is told to the others, which may wait for a value. After it the processes are not at the same
    /// place any more, so the group is given up, which those who wait for a sum see at once.
    pub fn conclude(mut self, error: Option<&Error>) {
        let (rank, size) = (self.rank(), self.size());
        let Some(seat) = &mut self.seat else { return };
        let store = seat.group.store();
        // What fails here fails because the others have gone, of which the error, if there is one, tells.
        if let Some((lost, Error { kind, message, help, about })) = error.map(|error| (is_lost(error), error.clone()))
            // One that follows from another process's end does not replace that process's own.
            && !(lost && matches!(store.get(&seat.key(FAILED)), Ok(Some(_))))
        {
            let told = serde_json::to_vec(&Message::Failed { kind, message, help, about }).unwrap_or_default();
            let _ = store.set(&seat.key(FAILED), &told);
        }
        let _ = store.set(&seat.key(&format!("{LEFT}/{rank}")), b"{}");
        if seat.group.serves() {
            // This process may end now, and the store with it.
            let most = if error.is_some() { AFTER_ERROR } else { AFTER_RUN };
            let started = Instant::now();
            for other in 1..size {
                let key = seat.key(&format!("{LEFT}/{other}"));
                if !matches!(store.wait(&[key], Some(most.saturating_sub(started.elapsed()))), Ok(Some(_))) {
                    break;
                }
            }
        }
        if let Some(error) = error.filter(|error| error.kind != ErrorKind::Interrupted) {
            seat.world.broken = Some(error.message.clone());
            seat.world.group = None;
        }
    }
}

/// The key under which a process tells its error.
const FAILED: &str = "failed";
/// The key under which each process says that it needs no more of this training.
const LEFT: &str = "left";
/// How long rank 0 waits for the others, where it serves the store: until they have read the run, or have seen an error.
const AFTER_RUN: Duration = Duration::from_secs(120);
const AFTER_ERROR: Duration = Duration::from_secs(2);

impl Seat {
    fn key(&self, what: &str) -> String {
        format!("training/{}/{what}", self.training)
    }
}

/// Errors: a number of processes that is not the options'.
fn check_size(place: &Place, options: &TrainOptions) -> Result<()> {
    if place.size == options.nproc {
        return Ok(());
    }
    Err(Error::argument(format!(
        "option \"nproc\" must be the number of processes that were started together, {}; got {}",
        place.size, options.nproc
    ))
    .about_option("nproc"))
}

/// The device of this process: of several GPUs that it sees, that of its number on the machine.
fn choose_device(place: &Place) -> Result<Device> {
    let gpus = devices::all_gpus();
    if gpus.len() > 1 {
        let gpu = gpu_of(place.local_rank, &gpus, Engine::lets_share_gpus())?;
        devices::choose(&[format!("cuda:{gpu}")])?;
    }
    Ok(devices::first())
}

/// The GPU of process `local_rank` of a machine. Several may share one only over Gloo: NCCL refuses it.
///
/// Errors: there are fewer GPUs.
pub(super) fn gpu_of(local_rank: usize, gpus: &[usize], shared: bool) -> Result<usize> {
    let n = gpus.len();
    match gpus.get(if shared { local_rank % n.max(1) } else { local_rank }) {
        Some(gpu) => Ok(*gpu),
        None => Err(Error::argument(format!(
            "option \"nproc\": every process needs a GPU of its own; process {} of this machine has none, there {} {n}",
            local_rank + 1,
            if n == 1 { "is" } else { "are" },
        ))
        .about_option("nproc")
        .with_help("nproc is at most the number of GPUs; CPSD_DEVICE=cpu trains on the CPU; CPSD_BACKEND=gloo lets processes share a GPU")),
    }
}

/// Part `rank` of `size` of `images` positions.
fn part(rank: usize, size: usize, images: usize) -> Range<usize> {
    let (each, more) = (images / size, images % size);
    let start = rank * each + rank.min(more);
    start..start + each + usize::from(rank < more)
}

/// This process's part of one step: which images, and how much its losses count so that their sum over all processes is the
/// loss of the whole batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Images of the whole batch.
    pub batch: usize,
    /// The place of its images, for what is drawn by position. None if it has all.
    pub slice: Option<Slice>,
    /// Factor on a mean over all labels of its images.
    pub of_images: f64,
    /// Factor on a mean over the known labels of its images.
    pub of_known: f64,
    /// Factor on what does not depend on the images.
    pub of_all: f64,
}

impl Part {
    /// The part of a process that is alone.
    pub fn whole(batch: usize) -> Part {
        Part { batch, slice: None, of_images: 1.0, of_known: 1.0, of_all: 1.0 }
    }

    /// That of `peers` in a batch of these images. `known` has the number of known labels of every image; all are if none.
    pub fn of(peers: &Peers, images: &[u32], known: Option<&[u32]>) -> Part {
        Part::of_rank(peers.rank(), peers.size(), images, known)
    }

    fn of_rank(rank: usize, size: usize, images: &[u32], known: Option<&[u32]>) -> Part {
        let own = part(rank, size, images.len());
        let of_images = own.len() as f64 / images.len().max(1) as f64;
        let of_known = match known {
            None => of_images,
            Some(known) => {
                let sum = |images: &[u32]| images.iter().map(|&i| u64::from(known[i as usize])).sum::<u64>() as f64;
                // No known label at all: every process's loss is 0.
                sum(&images[own.clone()]) / sum(images).max(1.0)
            }
        };
        let slice = Slice { first: own.start as i64, images: own.len() as i64 };
        Part { batch: images.len(), slice: Some(slice), of_images, of_known, of_all: 1.0 / size as f64 }
    }

    /// The factor on a loss on the labels of that reduction.
    pub fn of_labels(&self, reduction: Reduction) -> f64 {
        match reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => self.of_known,
        }
    }

    /// The factor on a loss against teachers of that reduction.
    pub fn of_teachers(&self, reduction: Reduction) -> f64 {
        match reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => self.of_images,
        }
    }
}

/// `loss` times `factor`; the loss itself at 1, with the same bits.
pub fn weighted(loss: Tensor, factor: f64) -> Result<Tensor> {
    if factor == 1.0 { Ok(loss) } else { Ok(loss.f_mul_scalar(factor)?) }
}

/// Waits for a run that another process has just published: shared file systems show it late.
pub fn appeared<T>(mut look: impl FnMut() -> Option<T>) -> Result<Option<T>> {
    let started = Instant::now();
    loop {
        let found = look();
        if found.is_some() || started.elapsed() > Duration::from_secs(60) {
            return Ok(found);
        }
        crate::activity::interrupt::check()?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_batch_and_the_largest_is_that_of_a_whole_batch() {
        for size in 1..6 {
            for images in size..20 {
                let parts: Vec<usize> = (0..size).flat_map(|rank| part(rank, size, images)).collect();
                assert_eq!(parts, (0..images).collect::<Vec<_>>());
                for rank in 0..size {
                    let n = part(rank, size, images).len();
                    assert!(n >= 1 && n <= images.div_ceil(size));
                    assert!(part(rank, size, images - 1).len() <= n);
                }
            }
        }
    }

    #[test]
    fn factors_turn_means_of_parts_into_the_mean_of_the_whole() {
        let (images, known) = ([4, 0, 3, 1, 2], [1, 0, 5, 2, 2]);
        let parts: Vec<Part> = (0..2).map(|rank| Part::of_rank(rank, 2, &images, Some(&known))).collect();
        assert_eq!(parts[0].slice, Some(Slice { first: 0, images: 3 }));
        assert_eq!(parts[1].slice, Some(Slice { first: 3, images: 2 }));
        assert_eq!((parts[0].of_images, parts[1].of_images), (0.6, 0.4));
        // Images 4, 0, 3 have 2 + 1 + 2 known labels of ten.
        assert_eq!((parts[0].of_known, parts[1].of_known), (0.5, 0.5));
        assert_eq!(parts[0].of_all + parts[1].of_all, 1.0);
        assert_eq!(Part::of_rank(1, 2, &[1, 1], Some(&[3, 0])).of_known, 0.0);
    }

    #[test]
    fn every_process_has_a_gpu_of_its_own() {
        assert_eq!(gpu_of(1, &[0, 2], false).unwrap(), 2);
        assert_eq!(gpu_of(1, &[3], true).unwrap(), 3);
        let error = gpu_of(2, &[0, 1], false).unwrap_err();
        assert!(error.message.contains("process 3 of this machine has none, there are 2"), "{}", error.message);
    }
}
