//! Devices that trainings take and give back: one pool for all threads of the process.
//!
//! A GPU has so many trainings at once as each of them allows, and none is idle while a training waits that may use it. On
//! the CPU nothing is taken. What a thread took it keeps for all that it does inside: the trainings that a closure for
//! epochs begins, say, run on the same GPU.
//!
//! A thread that waits for work of other threads lends its GPU to them meanwhile ([`lent`]). So that nothing waits in a
//! circle, a run is claimed first and its GPU is taken then; stored features and outputs are claimed by threads that have
//! their device already.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tch::Device;

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
pub fn take(name: &str, per_gpu: usize) -> Result<Place> {
    POOL.take(name, &devices::all(), per_gpu)
}

/// As [`take`], without waiting: where all are taken, the first one is used beside the others. Returns who has it then.
pub fn take_now(name: &str, per_gpu: usize) -> (Place, Vec<String>) {
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
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    taken: Vec<Taken>,
    /// First come, first served, on each device.
    waiting: VecDeque<Waiter>,
}

/// A job on a device.
struct Taken {
    serial: u64,
    name: String,
    device: Device,
    per_device: usize,
}

#[derive(Clone)]
struct Waiter {
    serial: u64,
    devices: Vec<Device>,
}

/// A device that the thread has taken, given back when this is dropped.
pub struct Place {
    pool: &'static DevicePool,
    device: Device,
    serial: u64,
    taken: bool,
    /// It belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl Place {
    fn new(pool: &'static DevicePool, device: Device, serial: u64, taken: bool) -> Place {
        held(|all| all.push(Held { pool, device, serial, taken, lent: false }));
        Place { pool, device, serial, taken, _thread: PhantomData }
    }

    pub fn device(&self) -> Device {
        self.device
    }

    /// The number of the GPU, or none on the CPU.
    pub fn gpu(&self) -> Option<usize> {
        if let Device::Cuda(i) = self.device { Some(i) } else { None }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        held(|all| all.retain(|h| h.serial != self.serial));
        if self.taken {
            self.pool.give_back(self.serial);
        }
    }
}

impl State {
    /// The jobs on a device.
    fn on(&self, device: Device) -> impl Iterator<Item = &Taken> {
        self.taken.iter().filter(move |taken| taken.device == device)
    }

    /// The device with the fewest jobs that has room for one more by what it and those that are there allow, unless somebody who
    /// came before `waiter` wants it.
    fn free(&self, waiter: &Waiter, per_device: usize) -> Option<Device> {
        let wanted = |device: &Device| {
            let earlier = self.waiting.iter().take_while(|other| other.serial != waiter.serial);
            earlier.into_iter().any(|other| other.devices.contains(device))
        };
        let room = |device: &Device| {
            let allowed = self.on(*device).map(|taken| taken.per_device).fold(per_device, usize::min);
            self.on(*device).count() < allowed.max(1)
        };
        let free = waiter.devices.iter().filter(|device| room(device) && !wanted(device));
        free.min_by_key(|device| self.on(**device).count()).copied()
    }

    fn put(&mut self, serial: u64, name: &str, device: Device, per_device: usize) {
        self.taken.push(Taken { serial, name: name.to_string(), device, per_device });
    }

    /// Who has these devices, as `cuda:0 is taken by teacher 1/3`.
    fn said(&self, devices: &[Device]) -> String {
        let of = |device: &Device| {
            let names: Vec<&str> = self.on(*device).map(|taken| taken.name.as_str()).collect();
            format!("{} is taken by {}", devices::name(*device), names.join(" and "))
        };
        let taken: Vec<String> = devices.iter().filter(|device| self.on(**device).next().is_some()).map(of).collect();
        if taken.is_empty() { "others came before".into() } else { taken.join(", ") }
    }
}

impl DevicePool {
    /// A pool of which nothing is taken.
    pub const fn new() -> DevicePool {
        let state = State { taken: Vec::new(), waiting: VecDeque::new() };
        DevicePool { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes one of `devices` for the job `name`, the one with the fewest jobs, which all allow one more. Waits while there is none.
    /// A thread that has one of them keeps it; the CPU is never waited for.
    ///
    /// Errors: Interrupted while waiting.
    pub fn take(&'static self, name: &str, devices: &[Device], per_device: usize) -> Result<Place> {
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
        outcome.map(|device| Place::new(self, device, serial, true))
    }

    /// See [`take_now`](take_now()).
    fn take_now(&'static self, name: &str, devices: &[Device], per_device: usize) -> (Place, Vec<String>) {
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
        (Place::new(self, device, serial, free.is_some()), others)
    }

    /// The place of a thread that has one of `devices`, or where they are no GPUs.
    fn without_taking(&'static self, devices: &[Device]) -> Option<Place> {
        let own = held(|all| {
            let mine = all.iter().rev().find(|h| std::ptr::eq(h.pool, self) && !h.lent && devices.contains(&h.device));
            mine.map(|h| h.device)
        });
        let cpu = || (!devices.iter().any(|device| device.is_cuda())).then_some(Device::Cpu);
        let device = own.or_else(cpu)?;
        Some(Place::new(self, device, next(), false))
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
