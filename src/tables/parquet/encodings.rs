//! Levels and values as pages encode them. Each function passes over as many values as a page says it has, and refuses one
//! whose bytes hold fewer: polars takes memory for the number and trusts the bytes.

use super::thrift::{Checked, unzigzag, varint};

/// The largest block of differences; writers use 128 to 2,048.
const MOST_BLOCK: u64 = 1 << 16;

fn short() -> String {
    "a page holds fewer values than it says".to_string()
}

/// Passes `n` numbers of `width` bits in runs (RLE and bit-packed). `each` gets a number and how often it comes.
pub(super) fn runs(
    mut bytes: &[u8],
    width: u32,
    n: usize,
    mut each: impl FnMut(u32, usize) -> Checked<()>,
) -> Checked<()> {
    if width == 0 {
        return if n > 0 { each(0, n) } else { Ok(()) };
    }
    let mut left = n;
    while left > 0 {
        let (head, length) = varint(bytes).map_err(|_| short())?;
        bytes = &bytes[length..];
        let count = u32::try_from(head >> 1).map_err(|_| "a run in a page has no length")? as usize;
        if head & 1 == 1 {
            // `count` groups of eight numbers; some writers leave out the end of the last group.
            let packed = count.saturating_mul(width as usize).min(bytes.len());
            let take = (packed * 8 / width as usize).min(left);
            if take == 0 {
                return Err(short());
            }
            unpacked(&bytes[..packed], width, take, |value| each(value, 1))?;
            bytes = &bytes[packed..];
            left -= take;
        } else {
            let (value, rest) = bytes.split_at_checked(width.div_ceil(8) as usize).ok_or_else(short)?;
            bytes = rest;
            let value = value.iter().rev().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
            let take = count.min(left);
            if take > 0 {
                each(value, take)?;
            }
            left -= take;
        }
    }
    Ok(())
}

/// The first `n` numbers of `width` bits, at most 32, lowest bit first. The bytes hold them.
fn unpacked(bytes: &[u8], width: u32, n: usize, mut each: impl FnMut(u32) -> Checked<()>) -> Checked<()> {
    let mask = u64::MAX >> (64 - width);
    for i in 0..n {
        let bit = i * width as usize;
        let from = &bytes[bit / 8..];
        let word = match from.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => from.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        };
        each((word >> (bit % 8) & mask) as u32)?;
    }
    Ok(())
}

/// Passes `n` numbers written as differences, of `bits` bits. Returns the number of bytes.
pub(super) fn differences(
    bytes: &[u8],
    bits: u32,
    n: usize,
    mut each: impl FnMut(i64) -> Checked<()>,
) -> Checked<usize> {
    let mut at = 0;
    let next = |at: &mut usize| -> Checked<u64> {
        let (value, length) = varint(&bytes[*at..])?;
        *at += length;
        Ok(value)
    };
    let (block, parts, total) = (next(&mut at)?, next(&mut at)?, next(&mut at)?);
    let mut value = unzigzag(next(&mut at)?);
    if total != n as u64 {
        return Err(format!("a page says that it holds {n} values and {total} values"));
    }
    if block == 0
        || block > MOST_BLOCK
        || block % 128 != 0
        || parts == 0
        || block % parts != 0
        || block / parts % 32 != 0
    {
        return Err("a page has blocks of no valid size".to_string());
    }
    let part = (block / parts) as usize;
    let mut left = n;
    if left > 0 {
        each(value)?;
        left -= 1;
    }
    while left > 0 {
        let least = unzigzag(next(&mut at)?);
        let widths = at..at + parts as usize;
        at = widths.end;
        for width in bytes.get(widths).ok_or_else(short)?.iter().map(|&width| u32::from(width)) {
            if left == 0 {
                break;
            }
            if width > bits {
                return Err(format!("a page holds numbers of {width} bits in a column of {bits}"));
            }
            let packed = bytes.get(at..at + part * width as usize / 8).ok_or_else(short)?;
            at += packed.len();
            let take = part.min(left);
            for i in 0..take {
                value = value.wrapping_add(least).wrapping_add(wide(packed, width, i) as i64);
                each(value)?;
            }
            left -= take;
        }
    }
    Ok(at)
}

/// Number `i` of `width` bits, at most 64.
fn wide(bytes: &[u8], width: u32, i: usize) -> u64 {
    if width == 0 {
        return 0;
    }
    let bit = i * width as usize;
    let from = &bytes[bit / 8..];
    let word = from.iter().take(9).rev().fold(0u128, |word, &byte| word << 8 | u128::from(byte));
    (word >> (bit % 8)) as u64 & (u64::MAX >> (64 - width))
}

/// The lengths of `n` texts, each behind its length in four bytes.
pub(super) fn texts(mut bytes: &[u8], n: usize, mut each: impl FnMut(usize)) -> Checked<()> {
    for _ in 0..n {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
        let length = u32::from_le_bytes(*length) as usize;
        bytes = rest.get(length..).ok_or_else(short)?;
        each(length);
    }
    Ok(())
}

/// The lengths of `n` texts that stand together before the texts.
pub(super) fn texts_behind_lengths(bytes: &[u8], n: usize, mut each: impl FnMut(usize)) -> Checked<()> {
    let mut left = bytes.len() as u64;
    let used = differences(bytes, 32, n, |length| {
        let length = u64::try_from(length).map_err(|_| short())?;
        left = left.checked_sub(length).ok_or_else(short)?;
        each(length as usize);
        Ok(())
    })?;
    if bytes.len() as u64 - left > (bytes.len() - used) as u64 { Err(short()) } else { Ok(()) }
}

/// The lengths of `n` texts that are written as what they share with the one before, and the rest.
pub(super) fn texts_behind_prefixes(bytes: &[u8], n: usize, mut each: impl FnMut(usize) -> Checked<()>) -> Checked<()> {
    let mut prefixes = Vec::new();
    prefixes.try_reserve_exact(n).map_err(|_| short())?;
    let used = differences(bytes, 32, n, |length| {
        prefixes.push(u32::try_from(length).map_err(|_| short())?);
        Ok(())
    })?;
    let (mut prefixes, mut last) = (prefixes.into_iter(), 0);
    let mut lengths = Vec::new();
    lengths.try_reserve_exact(n).map_err(|_| short())?;
    texts_behind_lengths(&bytes[used..], n, |length| lengths.push(length))?;
    for rest in lengths {
        let shared = prefixes.next().unwrap_or_default() as usize;
        if shared > last {
            return Err("a text in a page shares more with the one before than that has".to_string());
        }
        last = shared + rest;
        each(last)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(bytes: &[u8], width: u32, n: usize) -> Checked<Vec<u32>> {
        let mut all = Vec::new();
        runs(bytes, width, n, |value, times| {
            all.extend(std::iter::repeat_n(value, times));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn runs_hold_what_they_say() {
        // The specification's example: 0 to 7 in three bits; then four times 5.
        let bytes = [3, 0b10001000, 0b11000110, 0b11111010, 8, 5];
        assert_eq!(collected(&bytes, 3, 12).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5]);
        assert!(collected(&bytes, 3, 13).is_err());
        assert!(collected(&bytes[..2], 3, 8).is_err());
        assert_eq!(collected(&[], 0, 3).unwrap(), [0, 0, 0]);
        // A run of length 0 is passed; one of 2^60 is refused.
        assert_eq!(collected(&[0, 1, 2, 7], 8, 1).unwrap(), [7]);
        assert!(collected(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 1], 1, 9).is_err());
    }

    #[test]
    fn differences_are_those_of_the_specification() {
        // Block of 128 in 4 parts, 5 values from 7 on: 7, 5, 3, 1, 2; least difference -2, then 0, 0, 0, 3 in 2 bits.
        let mut bytes = vec![128, 1, 4, 5, 14, 3, 2, 0, 0, 0, 0b11000000];
        bytes.extend([0; 7]);
        let mut all = Vec::new();
        let used = differences(&bytes, 64, 5, |value| {
            all.push(value);
            Ok(())
        });
        assert_eq!((used, all), (Ok(18), vec![7, 5, 3, 1, 2]));
        assert!(differences(&bytes, 64, 6, |_| Ok(())).is_err());
        assert!(differences(&bytes[..12], 64, 5, |_| Ok(())).is_err());
        assert!(differences(&[0, 4, 1, 0], 64, 1, |_| Ok(())).unwrap_err().contains("blocks"));
    }

    #[test]
    fn texts_are_inside_their_page() {
        let mut lengths = Vec::new();
        texts(&[2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0], 2, |length| lengths.push(length)).unwrap();
        assert_eq!(lengths, [2, 0]);
        assert!(texts(&[3, 0, 0, 0, b'a', b'b'], 1, |_| ()).is_err());
    }
}
