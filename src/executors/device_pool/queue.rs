//! Who has which device, and who waits: the rules of the pool, without threads.

use std::collections::VecDeque;

use tch::Device;

use crate::devices;

/// The devices that jobs have taken, and those who wait.
pub struct Queue {
    pub taken: Vec<Taken>,
    /// First come, first served, on each device.
    pub waiting: VecDeque<Waiter>,
}

/// A job on a device.
pub struct Taken {
    pub serial: u64,
    pub name: String,
    pub device: Device,
    /// So many jobs at most on its device.
    pub per_device: usize,
}

#[derive(Clone)]
pub struct Waiter {
    pub serial: u64,
    pub devices: Vec<Device>,
}

impl Queue {
    pub const fn new() -> Queue {
        Queue { taken: Vec::new(), waiting: VecDeque::new() }
    }

    /// The jobs on a device.
    pub fn on(&self, device: Device) -> impl Iterator<Item = &Taken> {
        self.taken.iter().filter(move |taken| taken.device == device)
    }

    /// The device with the fewest jobs that has room for one more by what it and those that are there allow, unless somebody who
    /// came before `waiter` wants it.
    pub fn free(&self, waiter: &Waiter, per_device: usize) -> Option<Device> {
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

    pub fn put(&mut self, serial: u64, name: &str, device: Device, per_device: usize) {
        self.taken.push(Taken { serial, name: name.to_string(), device, per_device });
    }

    /// Who has these devices, as `cuda:0 is taken by teacher 1/3`.
    pub fn said(&self, devices: &[Device]) -> String {
        let of = |device: &Device| {
            let names: Vec<&str> = self.on(*device).map(|taken| taken.name.as_str()).collect();
            format!("{} is taken by {}", devices::name(*device), names.join(" and "))
        };
        let taken: Vec<String> = devices.iter().filter(|device| self.on(**device).next().is_some()).map(of).collect();
        if taken.is_empty() { "others came before".into() } else { taken.join(", ") }
    }
}
