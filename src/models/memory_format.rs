//! In which order the numbers of feature maps lie in memory.
//!
//! Pictures come channels-last: the channels of one position are neighbours, as the fast convolutions of GPUs want them. A
//! layer that returns another order costs a copy here and in every layer after it.

use std::cell::RefCell;

use tch::Tensor;

thread_local!(static SEEN: RefCell<Option<Vec<Seen>>> = const { RefCell::new(None) });

/// Input and output of one convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub input: Vec<i64>,
    pub output: Vec<i64>,
    /// Whether input and output were channels-last.
    pub channels_last: [bool; 2],
}

/// Whether maps `[N, C, H, W]` lie channels-last. Maps of one channel or one position lie both ways, so they do.
pub fn is_channels_last(x: &Tensor) -> bool {
    let (size, stride) = (x.size(), x.stride());
    let (&[n, c, h, w], &[by_image, by_channel, by_row, by_column]) = (size.as_slice(), stride.as_slice()) else {
        return false;
    };
    if c == 1 || h * w == 1 {
        return true;
    }
    let fits = |side: i64, came: i64, expected: i64| side == 1 || came == expected;
    by_channel == 1 && fits(w, by_column, c) && fits(h, by_row, w * c) && fits(n, by_image, h * w * c)
}

/// Runs `work` and returns what every convolution of this thread read and wrote meanwhile. For tests.
pub fn during<R>(work: impl FnOnce() -> R) -> (R, Vec<Seen>) {
    let before = SEEN.replace(Some(Vec::new()));
    let result = work();
    (result, SEEN.replace(before).unwrap_or_default())
}

/// Notes a convolution, if [`during`] is running.
pub(super) fn saw(x: &Tensor, y: &Tensor) {
    SEEN.with_borrow_mut(|seen| {
        if let Some(seen) = seen {
            let channels_last = [x, y].map(is_channels_last);
            seen.push(Seen { input: x.size(), output: y.size(), channels_last });
        }
    });
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn the_order_in_memory_is_told_from_strides() {
        let x = Tensor::zeros([2, 4, 5, 3], (Kind::Float, Device::Cpu));
        assert!(!is_channels_last(&x) && is_channels_last(&x.permute([0, 3, 1, 2])));
        assert!(is_channels_last(&x.narrow(1, 0, 1)) && is_channels_last(&x.narrow(2, 0, 1).narrow(3, 0, 1)));
        // A part of channels-last maps has gaps.
        assert!(!is_channels_last(&x.permute([0, 3, 1, 2]).narrow(3, 0, 2)));
        assert!(!is_channels_last(&x.select(0, 0)));
    }
}
