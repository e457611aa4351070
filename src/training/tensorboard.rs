//! The epochs of a training as a TensorBoard event file.
//!
//! Format: each record is its length (u64), the masked CRC-32C of the length, the bytes, their masked CRC-32C, all
//! little-endian; the bytes are an `Event` protocol buffer (`tensorboard/compat/proto/event.proto`).

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::own;
use crate::runs::Work;

/// An event file with the numbers of `metrics.jsonl`.
pub struct Events {
    file: File,
    path: PathBuf,
}

/// TensorBoard looks for `tfevents` in a file's name.
const NAME: &str = "events.out.tfevents.0.cpsd";

impl Events {
    /// Writes the file anew from the lines of finished epochs, so that a resumed training has none twice.
    pub fn replay(work: &Work, lines: &[Value]) -> Result<Events> {
        let path = work.path(NAME);
        let file = own::create(&path)?;
        let mut events = Events { file, path };
        // field 1: wall_time, field 3: file_version
        let mut version = double(1, now());
        version.extend(bytes(3, b"brain.Event:2"));
        events.record(&version)?;
        lines.iter().try_for_each(|line| events.append(line))?;
        Ok(events)
    }

    /// Appends one epoch: every number of the line except `epoch`, which is the step.
    pub fn append(&mut self, line: &Value) -> Result<()> {
        let epoch = line["epoch"].as_u64().unwrap_or(0);
        let mut summary = Vec::new();
        for (name, value) in line.as_object().into_iter().flatten() {
            if let (Some(x), true) = (value.as_f64(), name != "epoch") {
                // Summary.value: field 1 tag, field 2 simple_value (float)
                let mut one = bytes(1, name.as_bytes());
                one.push(2 << 3 | 5);
                one.extend((x as f32).to_le_bytes());
                summary.extend(bytes(1, &one));
            }
        }
        // field 2: step, field 5: summary
        let mut event = double(1, now());
        event.push(2 << 3);
        varint(&mut event, epoch);
        event.extend(bytes(5, &summary));
        self.record(&event)
    }

    fn record(&mut self, event: &[u8]) -> Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(event.len() + 16);
        record.extend(length);
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(event);
        record.extend(masked_crc(event).to_le_bytes());
        self.file.write_all(&record).map_err(|e| Error::io(&self.path, e))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

fn varint(out: &mut Vec<u8>, mut x: u64) {
    while x >= 0x80 {
        out.push(x as u8 | 0x80);
        x >>= 7;
    }
    out.push(x as u8);
}

/// A field of 8 bytes.
fn double(field: u8, x: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1];
    out.extend(x.to_le_bytes());
    out
}

/// A field of bytes, preceded by their length.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    varint(&mut out, content.len() as u64);
    out.extend(content);
    out
}

/// CRC-32C (Castagnoli), rotated and shifted as in TFRecord.
fn masked_crc(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32C for "123456789" is 0xE3069283 (RFC 3720).
    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(masked_crc(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}
