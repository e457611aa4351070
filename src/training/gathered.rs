//! Rows that batches leave on their device until there are many.

use tch::{Device, Tensor};

use crate::error::Result;
use crate::torch::read_back;

/// Elements that wait on the device: 64 MiB of f32, the logits of 80 labels for 200,000 images.
const WAITING: usize = 16 << 20;

/// Rows `[n, m]` of batches, one below the other. They are read from the device together, since the CPU waits at every reading.
#[derive(Default)]
pub struct Gathered {
    waiting: Vec<Tensor>,
    elements: usize,
    read: Vec<Tensor>,
}

impl Gathered {
    /// Appends rows.
    pub fn push(&mut self, rows: Tensor) -> Result<()> {
        self.elements += rows.numel();
        self.waiting.push(rows);
        if self.elements > WAITING { self.read() } else { Ok(()) }
    }

    fn read(&mut self) -> Result<()> {
        if !self.waiting.is_empty() {
            self.read.push(read_back(&Tensor::f_cat(&self.waiting, 0)?)?);
            (self.waiting, self.elements) = (Vec::new(), 0);
        }
        Ok(())
    }

    /// All rows `[n, m]`, on the CPU; `[0, m]` without any.
    pub fn rows(mut self, m: usize) -> Result<Tensor> {
        self.read()?;
        match self.read.len() {
            0 => Ok(Tensor::f_empty([0, m as i64], (tch::Kind::Float, Device::Cpu))?),
            1 => Ok(self.read.remove(0)),
            _ => Ok(Tensor::f_cat(&self.read, 0)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::torch::transfers;

    #[test]
    fn rows_are_read_together_and_stay_few_on_the_device() {
        let rows = |n: i64, m: i64| Tensor::arange(n * m, (Kind::Float, Device::Cpu)).reshape([n, m]);
        let before = transfers().read_backs;
        let mut all = Gathered::default();
        (0..10).for_each(|_| all.push(rows(4, 3)).unwrap());
        assert!(all.rows(3).unwrap().equal(&rows(4, 3).repeat([10, 1])));
        assert_eq!(transfers().read_backs - before, 1);
        let mut all = Gathered::default();
        (0..5).for_each(|_| all.push(rows(6 << 10, 1 << 10)).unwrap());
        assert_eq!(all.waiting.len(), 2);
        assert_eq!(all.rows(1 << 10).unwrap().size(), [30 << 10, 1 << 10]);
        assert_eq!(Gathered::default().rows(3).unwrap().size(), [0, 3]);
    }
}
