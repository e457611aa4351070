//! Zip archives, taken apart and put together, so that a change inside one does not end at its checksum.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// The entries of an archive that are stored without compression. None when the bytes are no such archive.
pub fn entries(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let u16_at = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]) as usize);
    let u32_at = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let end = bytes.windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let (count, mut at) = (u16_at(end + 10)?, u32_at(end + 16)?);
    let mut all = Vec::new();
    for _ in 0..count {
        if bytes.get(at..at + 4)? != b"PK\x01\x02" || u16_at(at + 10)? != 0 {
            return None;
        }
        let (size, name, offset) = (u32_at(at + 24)?, u16_at(at + 28)?, u32_at(at + 42)?);
        let text = String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name)?).into_owned();
        let start = offset + 30 + u16_at(offset + 26)? + u16_at(offset + 28)?;
        all.push((text, bytes.get(start..start + size)?.to_vec()));
        at += 46 + name + u16_at(at + 30)? + u16_at(at + 32)?;
    }
    Some(all)
}

pub fn zip(entries: &[(String, Vec<u8>)], compressed: bool) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let mut crc = Crc::new();
        crc.update(data);
        let stored = if compressed {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        } else {
            data.clone()
        };
        let mut common = Vec::new();
        for field in [20u16, 0, if compressed { 8 } else { 0 }, 0, 0] {
            common.extend(field.to_le_bytes());
        }
        for field in [crc.sum(), stored.len() as u32, data.len() as u32, name.len() as u32] {
            common.extend(field.to_le_bytes());
        }
        let offset = out.len() as u32;
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.bytes());
        out.extend(stored);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    for field in [entries.len() as u16; 2] {
        out.extend(field.to_le_bytes());
    }
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

#[test]
fn an_archive_comes_back() {
    let all = vec![("a".to_string(), vec![1, 2, 3]), ("b/c".to_string(), vec![])];
    assert_eq!(entries(&zip(&all, false)), Some(all.clone()));
    assert_eq!(entries(&zip(&all, true)), None);
    assert_eq!(entries(b"PK"), None);
}
