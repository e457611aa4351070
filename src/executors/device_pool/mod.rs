//! Devices that trainings take and give back: one pool for all threads of the process.
//!
//! A GPU has so many trainings at once as each of them allows, and none is idle while a training waits that may use it. On
//! the CPU nothing is taken. What a thread took it keeps for all that it does inside: the trainings that a closure for
//! epochs begins, say, run on the same GPU.
//!
//! A thread that waits for work of other threads lends its GPU to them meanwhile ([`lent`]). So that nothing waits in a
//! circle, a run is claimed first and its GPU is taken then; stored features and outputs are claimed by threads that have
//! their device already.

mod queue;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tch::Device;

use self::queue::{Queue, Taken, Waiter};

use crate::activity::{console, interrupt};
use crate::devices;
use crate::error::Result;

/// How often a waiting thread looks whether it was asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A wait that takes longer is said.
const SAID_AFTER: Duration = Duration::from_millis(300);

static POOL: DevicePool = DevicePool::new();
/// The number of the next place of any pool.
static NEXT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What this thread has, the innermost last.
    static HELD: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

/// Takes one of the devices that trainings may use ([`devices::all`]), for the training `name`, with at most `per_gpu` trainings on a
/// GPU. Waits while all are taken, and says so.
///
/// Errors: Interrupted while waiting.
pub fn take(name: &str, per_gpu: usize) -> Result<TakenDevice> {
    POOL.take(name, &devices::all(), per_gpu)
}

/// Takes these GPUs, all of them, for one training in several processes. Of two such trainings none waits for the other with a GPU that
/// the other waits for, since both take the lowest number first.
///
/// Errors: Interrupted while waiting.
pub fn take_all(name: &str, mut gpus: Vec<usize>, per_gpu: usize) -> Result<Vec<TakenDevice>> {
    gpus.sort_unstable();
    gpus.dedup();
    gpus.into_iter().map(|gpu| POOL.take(name, &[Device::Cuda(gpu)], per_gpu)).collect()
}

/// As [`take`], without waiting: where all are taken, the first one is used beside the others. Returns who has it then.
pub fn take_now(name: &str, per_gpu: usize) -> (TakenDevice, Vec<String>) {
    POOL.take_now(name, &devices::all(), per_gpu)
}

/// The device for what is no training, as predictions: the one that this thread has taken, or the first that no training has, or the
/// first.
pub fn here() -> Device {
    POOL.here(&devices::all())
}

/// Runs `work`, which waits for other threads, while what this thread has taken is lent to them.
pub fn lent<R>(work: impl FnOnce() -> R) -> R {
    struct Back(Vec<(&'static DevicePool, Taken)>);
    impl Drop for Back {
        fn drop(&mut self) {
            for (pool, taken) in self.0.drain(..) {
                let serial = taken.serial;
                pool.take_again(taken);
                held(|all| all.iter_mut().filter(|h| h.serial == serial).for_each(|h| h.lent = false));
            }
        }
    }
    let given = held(|all| {
        let mine = all.iter_mut().filter(|h| h.taken && !h.lent);
        mine.filter_map(|h| {
            h.lent = true;
            h.pool.give_back(h.serial).map(|taken| (h.pool, taken))
        })
        .collect()
    });
    let _back = Back(given);
    work()
}

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn held<R>(with: impl FnOnce(&mut Vec<Held>) -> R) -> R {
    HELD.with_borrow_mut(with)
}

/// A device in the hands of a thread.
struct Held {
    pool: &'static DevicePool,
    device: Device,
    serial: u64,
    /// Whether it counts in the pool: not on the CPU, nor inside a training of the same thread.
    taken: bool,
    lent: bool,
}

/// The devices that jobs have taken, and those who wait.
pub struct DevicePool {
    state: Mutex<Queue>,
    changed: Condvar,
}

/// A device that the thread has taken, given back when this is dropped.
pub struct TakenDevice {
    pool: &'static DevicePool,
    device: Device,
    serial: u64,
    taken: bool,
    /// It belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl TakenDevice {
    fn new(pool: &'static DevicePool, device: Device, serial: u64, taken: bool) -> TakenDevice {
        held(|all| all.push(Held { pool, device, serial, taken, lent: false }));
        TakenDevice { pool, device, serial, taken, _thread: PhantomData }
    }

    pub fn device(&self) -> Device {
        self.device
    }

    /// The number of the GPU, or none on the CPU.
    pub fn gpu(&self) -> Option<usize> {
        if let Device::Cuda(i) = self.device { Some(i) } else { None }
    }
}

impl Drop for TakenDevice {
    fn drop(&mut self) {
        held(|all| all.retain(|h| h.serial != self.serial));
        if self.taken {
            self.pool.give_back(self.serial);
        }
    }
}

impl Default for DevicePool {
    fn default() -> DevicePool {
        DevicePool::new()
    }
}

impl DevicePool {
    /// A pool of which nothing is taken.
    pub const fn new() -> DevicePool {
        DevicePool { state: Mutex::new(Queue::new()), changed: Condvar::new() }
    }

    /// Takes one of `devices` for the job `name`, the one with the fewest jobs, which all allow one more. Waits while there is none.
    /// A thread that has one of them keeps it; the CPU is never waited for.
    ///
    /// Errors: Interrupted while waiting.
    pub fn take(&'static self, name: &str, devices: &[Device], per_device: usize) -> Result<TakenDevice> {
        if let Some(place) = self.without_taking(devices) {
            return Ok(place);
        }
        let serial = next();
        let waiter = Waiter { serial, devices: devices.to_vec() };
        let mut state = self.state.lock();
        state.waiting.push_back(waiter.clone());
        let (started, mut said) = (Instant::now(), false);
        let outcome = loop {
            if let Some(device) = state.free(&waiter, per_device) {
                state.put(serial, name, device, per_device);
                break Ok(device);
            }
            if let Err(error) = interrupt::check() {
                break Err(error);
            }
            if !said && started.elapsed() > SAID_AFTER {
                said = true;
                let line = format!("{name} waits for a GPU: {}", state.said(devices));
                drop(state);
                console::log(&line);
                state = self.state.lock();
                continue;
            }
            self.changed.wait_for(&mut state, LOOK_EVERY);
        };
        state.waiting.retain(|other| other.serial != serial);
        drop(state);
        // Who came later may have waited for this one alone.
        self.changed.notify_all();
        outcome.map(|device| TakenDevice::new(self, device, serial, true))
    }

    /// See [`take_now`](take_now()).
    fn take_now(&'static self, name: &str, devices: &[Device], per_device: usize) -> (TakenDevice, Vec<String>) {
        if let Some(place) = self.without_taking(devices) {
            return (place, vec![]);
        }
        let serial = next();
        let mut state = self.state.lock();
        let free = state.free(&Waiter { serial, devices: devices.to_vec() }, per_device);
        let device = free.or(devices.first().copied()).unwrap_or(Device::Cpu);
        if free.is_some() {
            state.put(serial, name, device, per_device);
        }
        let others = state.on(device).filter(|taken| taken.serial != serial).map(|taken| taken.name.clone()).collect();
        drop(state);
        (TakenDevice::new(self, device, serial, free.is_some()), others)
    }

    /// The place of a thread that has one of `devices`, or where they are no GPUs.
    fn without_taking(&'static self, devices: &[Device]) -> Option<TakenDevice> {
        let own = held(|all| {
            let mine = all.iter().rev().find(|h| std::ptr::eq(h.pool, self) && !h.lent && devices.contains(&h.device));
            mine.map(|h| h.device)
        });
        let cpu = || (!devices.iter().any(|device| device.is_cuda())).then_some(Device::Cpu);
        let device = own.or_else(cpu)?;
        Some(TakenDevice::new(self, device, next(), false))
    }

    /// See [`here`](here()).
    fn here(&'static self, devices: &[Device]) -> Device {
        let own = held(|all| all.iter().rev().find(|h| std::ptr::eq(h.pool, self)).map(|h| h.device));
        own.unwrap_or_else(|| {
            let state = self.state.lock();
            let free = devices.iter().find(|device| state.on(**device).next().is_none());
            free.or(devices.first()).copied().unwrap_or(Device::Cpu)
        })
    }

    fn give_back(&self, serial: u64) -> Option<Taken> {
        let mut state = self.state.lock();
        let at = state.taken.iter().position(|taken| taken.serial == serial)?;
        let taken = state.taken.swap_remove(at);
        drop(state);
        self.changed.notify_all();
        Some(taken)
    }

    /// Takes back what was lent, before all others. One who was asked to stop does not wait: he gives it back soon.
    fn take_again(&self, taken: Taken) {
        let waiter = Waiter { serial: taken.serial, devices: vec![taken.device] };
        let mut state = self.state.lock();
        state.waiting.push_front(waiter.clone());
        while state.free(&waiter, taken.per_device).is_none() && !interrupt::requested() {
            self.changed.wait_for(&mut state, LOOK_EVERY);
        }
        state.waiting.retain(|other| other.serial != taken.serial);
        state.taken.push(taken);
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::activity::Activity;
    use crate::error::Error;
    use crate::executors::pool;

    /// Jobs on pretended GPUs, and the most that ran on each at once.
    struct Stub {
        pool: &'static DevicePool,
        running: Vec<AtomicUsize>,
        most: Vec<AtomicUsize>,
    }

    impl Stub {
        fn new(gpus: usize) -> Stub {
            console::set_quiet(true);
            let zeros = || (0..gpus).map(|_| AtomicUsize::new(0)).collect();
            Stub { pool: Box::leak(Box::new(DevicePool::new())), running: zeros(), most: zeros() }
        }

        fn gpus(&self) -> Vec<Device> {
            (0..self.running.len()).map(Device::Cuda).collect()
        }

        fn run<R>(&self, name: &str, devices: &[Device], per_gpu: usize, work: impl FnOnce() -> R) -> Result<R> {
            struct Count<'a>(&'a AtomicUsize);
            impl Drop for Count<'_> {
                fn drop(&mut self) {
                    let _ = self.0.fetch_sub(1, Ordering::SeqCst);
                }
            }
            let place = self.pool.take(name, devices, per_gpu)?;
            let gpu = place.gpu().unwrap();
            let now = self.running[gpu].fetch_add(1, Ordering::SeqCst) + 1;
            let _count = Count(&self.running[gpu]);
            let _ = self.most[gpu].fetch_max(now, Ordering::SeqCst);
            Ok(work())
        }

        fn most(&self) -> Vec<usize> {
            self.most.iter().map(|most| most.load(Ordering::SeqCst)).collect()
        }

        fn is_free(&self) -> bool {
            let state = self.pool.state.lock();
            state.taken.is_empty() && state.waiting.is_empty()
        }
    }

    fn soon(what: &str, mut yes: impl FnMut() -> bool) {
        let started = Instant::now();
        while !yes() {
            assert!(started.elapsed() < Duration::from_secs(60), "{what} does not come");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn every_gpu_is_used_and_none_by_more_jobs_than_it_allows() {
        for per_gpu in [1, 2] {
            let stub = Stub::new(3);
            let places = 3 * per_gpu;
            let came = AtomicUsize::new(0);
            let jobs: Vec<usize> = (0..12 * per_gpu).collect();
            // A round ends when every place is taken.
            let full = || {
                let round = came.fetch_add(1, Ordering::SeqCst) / places + 1;
                soon("a job on every place", || came.load(Ordering::SeqCst) >= round * places);
            };
            // Two callers, as two jobs of a script; each alone can fill every place, since one of them ends first.
            let caller = |name: &'static str| {
                let work = |_: &usize| stub.run(name, &stub.gpus(), per_gpu, full);
                assert!(pool::map(places + 1, &jobs, work).iter().all(Result::is_ok));
            };
            std::thread::scope(|scope| {
                scope.spawn(|| caller("first"));
                scope.spawn(|| caller("second"));
            });
            assert_eq!(stub.most(), vec![per_gpu; 3]);
            assert!(stub.is_free());
        }
    }

    #[test]
    fn a_job_that_fails_or_panics_gives_its_gpu_back() {
        let stub = Stub::new(2);
        let jobs: Vec<usize> = (0..20).collect();
        let work = |&i: &usize| -> Result<usize> {
            stub.run("job", &stub.gpus(), 1, || if i % 2 == 0 { Err(Error::data("on purpose")) } else { Ok(i) })?
        };
        let done = pool::map(4, &jobs, work).into_iter().filter_map(Result::ok).collect::<Vec<_>>();
        assert_eq!(done, (0..20).filter(|i| i % 2 == 1).collect::<Vec<_>>());
        assert!(stub.is_free());
        let panics = |_: &usize| {
            stub.run("job", &stub.gpus(), 1, || {
                if true {
                    panic!("on purpose")
                }
            })
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool::map(2, &jobs, panics))).is_err());
        assert!(stub.is_free() && stub.most().iter().all(|&most| most <= 1));
    }

    #[test]
    fn a_limit_is_that_of_every_job_on_the_gpu() {
        let stub = Stub::new(1);
        let gpus = stub.gpus();
        let alone = stub.pool.take("alone", &gpus, 1).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| stub.run("of two", &gpus, 2, || ()));
            soon("the waiter", || stub.pool.state.lock().waiting.len() == 1);
            assert_eq!(stub.pool.state.lock().taken.len(), 1);
            assert_eq!(stub.pool.state.lock().said(&gpus), "cuda:0 is taken by alone");
            drop(alone);
            second.join().unwrap().unwrap();
        });
        assert!(stub.is_free());
    }

    #[test]
    fn who_waits_for_one_gpu_does_not_keep_others_from_another() {
        let stub = Stub::new(2);
        let first = stub.pool.take("first", &[Device::Cuda(0)], 1).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| stub.run("second", &[Device::Cuda(0)], 1, || ()));
            soon("the waiter", || stub.pool.state.lock().waiting.len() == 1);
            scope.spawn(|| stub.run("third", &stub.gpus(), 1, || ())).join().unwrap().unwrap();
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
        assert_eq!(stub.most(), [1, 1]);
    }

    #[test]
    fn a_thread_keeps_its_gpu_for_what_it_does_inside_and_lends_it_while_it_waits() {
        let stub = Stub::new(1);
        let gpus = stub.gpus();
        let place = stub.pool.take("outer", &gpus, 1).unwrap();
        {
            let inner = stub.pool.take("inner", &gpus, 1).unwrap();
            assert_eq!((inner.device(), stub.pool.state.lock().taken.len()), (Device::Cuda(0), 1));
            assert_eq!(stub.pool.here(&[Device::Cuda(1), Device::Cuda(0)]), Device::Cuda(0));
        }
        assert_eq!(stub.pool.state.lock().taken.len(), 1);
        let other = || std::thread::scope(|s| s.spawn(|| stub.run("other", &gpus, 1, || 7)).join().unwrap().unwrap());
        assert_eq!(lent(other), 7);
        assert_eq!(stub.pool.state.lock().said(&gpus), "cuda:0 is taken by outer");
        // Also while one waits for it already.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stub.run("waiting", &gpus, 1, || ()));
            soon("the waiter", || stub.pool.state.lock().waiting.len() == 1);
            lent(|| waiting.join().unwrap().unwrap());
        });
        assert_eq!(stub.pool.state.lock().said(&gpus), "cuda:0 is taken by outer");
        drop(place);
        assert!(stub.is_free());
    }

    #[test]
    fn a_waiting_thread_is_stopped_and_the_next_one_is_served() {
        let stub = Stub::new(1);
        let gpus = stub.gpus();
        let place = stub.pool.take("first", &gpus, 1).unwrap();
        let job = Activity::background("[1]".into(), None);
        std::thread::scope(|scope| {
            let stopped = scope.spawn(|| job.enter(|| stub.run("stopped", &gpus, 1, || ())));
            soon("the waiter", || stub.pool.state.lock().waiting.len() == 1);
            let next = scope.spawn(|| stub.run("next", &gpus, 1, || ()));
            soon("the second waiter", || stub.pool.state.lock().waiting.len() == 2);
            job.stop();
            assert_eq!(stopped.join().unwrap().unwrap_err().message, Error::interrupted().message);
            drop(place);
            next.join().unwrap().unwrap();
        });
        assert!(stub.is_free());
    }

    #[test]
    fn without_waiting_a_taken_gpu_is_shared_and_the_cpu_is_never_taken() {
        let stub = Stub::new(2);
        let gpus = stub.gpus();
        let (first, others) = stub.pool.take_now("first", &gpus, 1);
        assert_eq!((first.device(), others.len()), (Device::Cuda(0), 0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(stub.pool.here(&gpus), Device::Cuda(1));
                let (second, _) = stub.pool.take_now("second", &gpus, 1);
                assert_eq!(second.device(), Device::Cuda(1));
                let third = scope.spawn(|| {
                    let (third, others) = stub.pool.take_now("third", &gpus, 1);
                    (third.device(), others)
                });
                assert_eq!(third.join().unwrap(), (Device::Cuda(0), vec!["first".to_string()]));
            });
        });
        drop(first);
        let places = [1, 2].map(|_| stub.pool.take("on the CPU", &[Device::Cpu], 1).unwrap());
        assert!(places.iter().all(|place| place.device() == Device::Cpu && place.gpu().is_none()));
        assert!(stub.is_free());
    }
}
