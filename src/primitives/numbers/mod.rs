//! Words for numbers, arrays of numbers and random numbers.

pub mod elementary;
pub mod powers;
pub mod random;
pub mod round;
pub mod statistics;
