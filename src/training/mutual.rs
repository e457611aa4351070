//! Mutual learning: students that learn from each other, step by step on the same batches.
//!
//! Source: Zhang et al., "Deep Mutual Learning", CVPR 2018, with the prediction of every student taken before any of them is updated.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::checkpoint;
use crate::activity::console;
use crate::error::{Error, ErrorKind, Result};
use crate::losses::{Function, LossSpec};

/// A student's place in its group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mutual {
    /// Factor of the mean of its distances to the others.
    pub weight: f64,
    /// Which of the group it is, from 0.
    pub index: usize,
    /// The students of the group, each by the id that it has without the others.
    pub students: Vec<String>,
}

/// Where the students of a group meet. Each is trained by a thread of its own; at every step all say their logits and hear those of the
/// others, so the result does not depend on which of them is fast.
pub struct Circle {
    size: usize,
    device: Device,
    state: Mutex<State>,
    changed: Condvar,
}

/// What a student is to do after an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// To stop, and to go on from a checkpoint later.
    pub stopping: bool,
    /// To write a checkpoint.
    pub saving: bool,
    /// To end the training as a finished one.
    pub ending: bool,
}

#[derive(Default)]
struct State {
    rounds: HashMap<u64, Round>,
    /// The student whose turn it is.
    turn: usize,
    /// Whether a student has ended.
    left: bool,
}

struct Round {
    said: Vec<Option<Said>>,
    heard: usize,
}

/// What a student says in a round.
struct Said {
    logits: Option<Tensor>,
    number: u64,
}

impl Circle {
    /// For so many students, all on one device.
    pub fn new(size: usize, device: Device) -> Circle {
        Circle { size, device, state: Mutex::new(State::default()), changed: Condvar::new() }
    }
}

/// The place of one student in the circle, for the thread that trains it. When it is dropped, the others no longer wait for it.
pub struct Seat<'a> {
    circle: &'a Circle,
    index: usize,
    round: Cell<u64>,
}

impl<'a> Seat<'a> {
    pub fn new(circle: &'a Circle, index: usize) -> Seat<'a> {
        Seat { circle, index, round: Cell::new(0) }
    }

    /// The device of the group.
    pub fn device(&self) -> Device {
        self.circle.device
    }

    /// Does `work` after the students before this one have done theirs: of two processes that train the same group, the second waits for
    /// the first with all of its students.
    ///
    /// Errors: those of `work`; Interrupted when another student has ended.
    pub fn in_turn<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        {
            let mut state = self.circle.state.lock();
            while state.turn != self.index {
                if state.left {
                    return Err(Error::interrupted());
                }
                self.circle.changed.wait(&mut state);
            }
        }
        let done = work()?;
        self.circle.state.lock().turn += 1;
        self.circle.changed.notify_all();
        Ok(done)
    }

    /// What all students say in this round, in their order. All ask for the same rounds. None when one has ended.
    ///
    /// Ctrl-C is heard by whoever computes: he ends, and with him the waiting.
    fn round(&self, said: Said) -> Result<Option<Vec<Said>>> {
        let number = self.round.get();
        self.round.set(number + 1);
        let size = self.circle.size;
        let mut state = self.circle.state.lock();
        let round =
            state.rounds.entry(number).or_insert_with(|| Round { said: (0..size).map(|_| None).collect(), heard: 0 });
        round.said[self.index] = Some(said);
        self.circle.changed.notify_all();
        loop {
            if let Some(round) = state.rounds.get_mut(&number)
                && round.said.iter().all(Option::is_some)
            {
                let copy =
                    |said: &Said| Said { logits: said.logits.as_ref().map(Tensor::shallow_clone), number: said.number };
                let all = round.said.iter().flatten().map(copy).collect();
                round.heard += 1;
                if round.heard == size {
                    state.rounds.remove(&number);
                }
                return Ok(Some(all));
            }
            if state.left {
                return Ok(None);
            }
            self.circle.changed.wait(&mut state);
        }
    }

    /// The numbers of all students. Errors: Interrupted when one has ended.
    fn numbers(&self, number: u64) -> Result<Vec<u64>> {
        let all = self.round(Said { logits: None, number })?.ok_or_else(Error::interrupted)?;
        Ok(all.into_iter().map(|said| said.number).collect())
    }

    /// Whether this is so of all students. Errors: Interrupted when one has ended.
    pub fn all(&self, so: bool) -> Result<bool> {
        Ok(self.numbers(u64::from(so))?.into_iter().all(|so| so == 1))
    }

    /// Whether this is so of one student at least. Errors: Interrupted when one has ended.
    pub fn any(&self, so: bool) -> Result<bool> {
        Ok(self.numbers(u64::from(so))?.contains(&1))
    }

    /// What all do at the same step: they stop if one of them is to, write checkpoints if all may, and end their trainings if a callback
    /// of one says so.
    pub fn agree(&self, said: Agreed) -> Result<Agreed> {
        let Agreed { stopping, saving, ending } = said;
        let all = self.numbers(u64::from(stopping) + 2 * u64::from(saving) + 4 * u64::from(ending))?;
        Ok(Agreed {
            stopping: all.iter().any(|number| number & 1 > 0),
            saving: all.iter().all(|number| number & 2 > 0),
            ending: all.iter().any(|number| number & 4 > 0),
        })
    }

    /// The checkpoint from which this student goes on: its own, if those of all are of the same update. They then compute what they would
    /// have without a stop.
    ///
    /// Errors: one that cannot be read; Interrupted when another student has ended.
    pub fn common<'p>(&self, checkpoint: Option<&'p Path>, name: &str) -> Result<Option<&'p Path>> {
        let updates = match checkpoint.map(checkpoint::updates) {
            None => 0,
            Some(Ok(updates)) => updates + 1,
            Some(Err(error)) if error.kind == ErrorKind::Interrupted => return Err(error),
            Some(Err(error)) => {
                console::log(&format!("{name}: starting over: {error}"));
                0
            }
        };
        let all = self.numbers(updates)?;
        if all.iter().all(|other| *other == updates) {
            return Ok(checkpoint.filter(|_| updates > 0));
        }
        if updates > 0 {
            console::log(&format!("{name}: starting over: the students' checkpoints are not of the same step"));
        }
        Ok(None)
    }

    /// Adds to `loss` the mean of the student's distances to the others, times the group's weight: `logits` `[n, m]` of this batch against
    /// theirs, through which no gradient flows. None when another student has ended.
    pub fn add_to(
        &self,
        loss: Tensor,
        mutual: &Mutual,
        distance: &LossSpec,
        function: Option<Function>,
        logits: &Tensor,
    ) -> Result<Option<Tensor>> {
        let Some(all) = self.round(Said { logits: Some(logits.f_detach()?), number: 0 })? else { return Ok(None) };
        let share = mutual.weight / (self.circle.size.saturating_sub(1)).max(1) as f64;
        let others = all.into_iter().enumerate().filter(|(student, _)| *student != self.index);
        let add = |loss: Tensor, other: Tensor| -> Result<Tensor> {
            Ok(loss.f_add(&distance.distance(function, logits, &other)?.f_mul_scalar(share)?)?)
        };
        others.filter_map(|(_, said)| said.logits).try_fold(loss, add).map(Some)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.circle.state.lock().left = true;
        self.circle.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_hear_each_other_and_nobody_waits_for_one_that_ended() {
        let circle = Circle::new(3, Device::Cpu);
        let student = |index: usize| {
            let seat = Seat::new(&circle, index);
            let turn = seat.in_turn(|| Ok(index)).unwrap();
            assert_eq!(seat.numbers(10 + index as u64).unwrap(), [10, 11, 12]);
            let agree = |stopping, saving, ending| {
                let agreed = seat.agree(Agreed { stopping, saving, ending }).unwrap();
                (agreed.stopping, agreed.saving, agreed.ending)
            };
            assert_eq!(agree(index == 1, true, false), (true, true, false));
            assert_eq!(agree(false, index == 1, index == 0), (false, false, true));
            assert_eq!([seat.any(index == 2).unwrap(), seat.any(false).unwrap()], [true, false]);
            if index == 2 {
                return turn;
            }
            assert_eq!(seat.numbers(0).unwrap_err().kind, ErrorKind::Interrupted);
            turn
        };
        std::thread::scope(|scope| {
            let student = &student;
            let threads: Vec<_> = (0..3).rev().map(|index| scope.spawn(move || student(index))).collect();
            let turns: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert_eq!(turns, [2, 1, 0]);
        });
    }

    /// `(kl(a, b) + kl(a, c)) / 2` of Bernoulli distributions: numbers of scipy.special.rel_entr.
    #[test]
    fn the_distance_is_the_mean_to_the_others() {
        let circle = Circle::new(3, Device::Cpu);
        let mutual = Mutual { weight: 2.0, index: 0, students: vec![] };
        let distance = LossSpec::Kl(crate::losses::Kl { temperature: 1.0, ..Default::default() });
        let losses: Vec<f64> = std::thread::scope(|scope| {
            let (circle, mutual, distance) = (&circle, &mutual, &distance);
            let student = move |index: usize| {
                let seat = Seat::new(circle, index);
                let logits = Tensor::from_slice(&[index as f32, -1.0]).view([1, 2]);
                let loss = seat.add_to(Tensor::from(1.0f32), mutual, distance, None, &logits).unwrap().unwrap();
                f64::try_from(&loss).unwrap()
            };
            let threads: Vec<_> = (0..3).map(|index| scope.spawn(move || student(index))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (came, expected) in losses.iter().zip(EXPECTED) {
            assert!((came - expected).abs() < 1e-5, "{losses:?}");
        }
    }

    const EXPECTED: [f64; 3] = [1.438_757_4, 1.187_245_3, 1.516_388_6];
}
