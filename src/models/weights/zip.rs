//! The entries of zip archives: PyTorch's, which are stored uncompressed, and NumPy's.

use std::collections::HashSet;

use crate::activity::interrupt;
use crate::error::{Error, Result};

/// An entry with its bytes as they are stored.
pub struct Entry<'a> {
    pub name: String,
    /// 0 for stored, 8 for DEFLATE.
    pub method: u16,
    /// Of the bytes when they are no longer compressed.
    pub size: u64,
    /// Of those bytes.
    checksum: u32,
    pub data: &'a [u8],
}

impl Entry<'_> {
    /// Errors: these are not the bytes that were packed. PyTorch can leave checksums out, so its archives are not held to them.
    pub fn checked(&self, bytes: &[u8]) -> Result<()> {
        let mut checksum = flate2::Crc::new();
        for part in bytes.chunks(1 << 26) {
            interrupt::check()?;
            checksum.update(part);
        }
        match checksum.sum() == self.checksum {
            true => Ok(()),
            false => Err(Error::data("its bytes do not have the archive's checksum: it is damaged")),
        }
    }
}

/// Name and bytes of each entry. Errors: not such an archive, cut short, or compressed.
pub fn entries(bytes: &[u8]) -> Result<Vec<(String, &[u8])>> {
    let entries = all_entries(bytes)?;
    // The code of a TorchScript module may be compressed; it is never read.
    if let Some(entry) = entries.iter().find(|e| e.method != 0 && !e.name.contains("/code/")) {
        let message = format!("entry \"{}\" of the archive is compressed, which PyTorch never does", entry.name);
        return Err(Error::data(message));
    }
    Ok(entries.into_iter().map(|entry| (entry.name, entry.data)).collect())
}

/// Each entry, compressed or not. Together they are not larger than the archive.
///
/// Errors: not a zip archive, cut short, two entries of one name or over the same bytes.
pub fn all_entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>> {
    let cut = || Error::data("the archive is cut short");
    let u16_at = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or_else(cut);
    let u32_at =
        |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(cut);
    let u64_at =
        |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes).ok_or_else(cut);
    // The end record is the last in the file, except for a comment of at most 64 KiB.
    let from = bytes.len().saturating_sub(66_000);
    let end = bytes[from..].windows(4).rposition(|w| w == b"PK\x05\x06").ok_or_else(cut)? + from;
    if end + 22 + u16_at(end + 20)? as usize != bytes.len() {
        return Err(cut());
    }
    let (mut count, mut at) = (u64::from(u16_at(end + 10)?), u64::from(u32_at(end + 16)?));
    if (count == 0xffff || at == 0xffff_ffff) && end >= 20 && bytes.get(end - 20..end - 16) == Some(b"PK\x06\x07") {
        let record = u64_at(end - 12)? as usize;
        let record = record.min(bytes.len());
        count = u64_at(record + 32)?;
        at = u64_at(record + 48)?;
    }
    let mut entries: Vec<Entry> = Vec::new();
    let (mut names, mut places) = (HashSet::new(), Vec::new());
    let mut at = at.min(bytes.len() as u64) as usize;
    for i in 0..count {
        if i % 4096 == 0 {
            interrupt::check()?;
        }
        if bytes.get(at..at + 4) != Some(b"PK\x01\x02") {
            return Err(cut());
        }
        let (method, checksum) = (u16_at(at + 10)?, u32_at(at + 16)?);
        let (mut stored, mut size) = (u64::from(u32_at(at + 20)?), u64::from(u32_at(at + 24)?));
        let mut offset = u64::from(u32_at(at + 42)?);
        let (name_length, extra, comment) =
            (u16_at(at + 28)? as usize, u16_at(at + 30)? as usize, u16_at(at + 32)? as usize);
        let name = String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name_length).ok_or_else(cut)?).into_owned();
        // Sizes of 4 GiB and more are in an extra field, in this order, which has only those that do not fit.
        let (mut field, fields_end) = (at + 46 + name_length, at + 46 + name_length + extra);
        while field + 4 <= fields_end {
            let (id, length) = (u16_at(field)?, u16_at(field + 2)? as usize);
            if id == 1 {
                let mut value = field + 4;
                if size == 0xffff_ffff {
                    size = u64_at(value)?;
                    value += 8;
                }
                if stored == 0xffff_ffff {
                    stored = u64_at(value)?;
                    value += 8;
                }
                if offset == 0xffff_ffff {
                    offset = u64_at(value)?;
                }
            }
            field += 4 + length;
        }
        // Clamped to the file, which also keeps the sums below from overflowing.
        let (offset, stored) = (offset.min(bytes.len() as u64) as usize, stored.min(bytes.len() as u64 + 1) as usize);
        if bytes.get(offset..offset + 4) != Some(b"PK\x03\x04") {
            return Err(cut());
        }
        let start = offset + 30 + u16_at(offset + 26)? as usize + u16_at(offset + 28)? as usize;
        let data = bytes.get(start..start + stored).ok_or_else(cut)?;
        // Which of them is meant? Readers differ.
        if !names.insert(name.clone()) {
            return Err(Error::data(format!("two entries of the archive are named \"{}\"", short(&name))));
        }
        if method == 0 && size != stored as u64 {
            return Err(Error::data(format!("entry \"{}\" of the archive has two sizes", short(&name))));
        }
        places.push((offset, start + stored));
        entries.push(Entry { name, method, size, checksum, data });
        at += 46 + name_length + extra + comment;
    }
    // Otherwise one piece of the file could be unpacked any number of times.
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[1].0 < pair[0].1) {
        return Err(Error::data("two entries of the archive overlap"));
    }
    Ok(entries)
}

/// The beginning of a name, which may be 64 KiB long.
fn short(name: &str) -> String {
    name.chars().take(80).collect()
}
