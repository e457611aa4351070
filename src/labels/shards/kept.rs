//! The counts and images of a shard as files of its run.
//!
//! | file | |
//! |---|---|
//! | `labels.json` | the names, in the order of the counts, and n_i |
//! | `pairs.u32` | (i, j, e_ij) of each pair that was seen, i < j, ascending; three numbers of 32 bits, little-endian |
//! | `images.u64` | a hash of each image's name, ascending; 64 bits, little-endian |

use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::graph::Cooccurrence;
use crate::json;
use crate::runs::{Run, StoredFile, Work};

const LABELS: &str = "labels.json";
const PAIRS: &str = "pairs.u32";
const IMAGES: &str = "images.u64";
/// Hashes that are read at a time.
const PART: usize = 1 << 15;

#[derive(Serialize, Deserialize)]
struct Labels {
    labels: Vec<String>,
    counts: Vec<u64>,
}

/// The run of a shard.
pub struct Kept(pub Run);

impl Kept {
    /// Writes the files, and returns the run's summary. Errors: Io; a pair that is counted 2^32 times.
    pub fn write(work: &Work, counts: &Cooccurrence, images: &[u64]) -> Result<Value> {
        let labels = Labels { labels: counts.labels().to_vec(), counts: counts.counts().to_vec() };
        let text = serde_json::to_vec(&labels).map_err(|e| Error::internal(format!("labels as JSON: {e}")))?;
        work.write(LABELS, &text)?;
        work.write_whole(PAIRS, |out| {
            let mut failed = None;
            counts.for_each_pair(|i, j, e| {
                if failed.is_none() {
                    failed = write_pair(out, i, j, e, work).err();
                }
            });
            failed.map_or(Ok(()), Err)
        })?;
        work.write_whole(IMAGES, |out| {
            let mut write = |hash: &u64| out.write_all(&hash.to_le_bytes());
            images.iter().try_for_each(&mut write).map_err(|e| Error::io(work.path(IMAGES), e))
        })?;
        let (labels, pairs) = (counts.len(), counts.num_pairs());
        Ok(json!({ "images": images.len(), "labels": labels, "pairs": pairs }))
    }

    /// The counts. Errors: Io; Data when a file is damaged.
    pub fn counts(&self) -> Result<Cooccurrence> {
        let run = &self.0;
        let Labels { labels, counts } =
            json::parse(&run.read(LABELS)?).map_err(|e| run.damaged(LABELS, &format!("no labels and counts: {e}")))?;
        let bytes = run.read(PAIRS)?;
        let (triples, rest) = bytes.as_chunks::<12>();
        if !rest.is_empty() {
            return Err(run.damaged(PAIRS, "it ends within a pair"));
        }
        let number =
            |bytes: &[u8; 12], i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let pairs = triples.iter().map(|bytes| [number(bytes, 0), number(bytes, 4), number(bytes, 8)]);
        let images = self.images()?.left;
        Cooccurrence::from_seen(labels, counts, pairs, images).map_err(|e| run.damaged(PAIRS, &e.message))
    }

    /// The images' hashes. Errors: Io; Data when the file is damaged.
    pub fn images(&self) -> Result<Images> {
        let file = self.0.open(IMAGES)?;
        let left = file.bytes / 8;
        file.check_length(8 * left)?;
        Ok(Images { file, left, part: Vec::new().into_iter(), offset: 0 })
    }
}

fn write_pair(out: &mut dyn Write, i: usize, j: usize, e: u64, work: &Work) -> Result<()> {
    let e =
        u32::try_from(e).map_err(|_| Error::data(format!("a pair of labels is counted {e} times, 2^32 or more")))?;
    for number in [i as u32, j as u32, e] {
        out.write_all(&number.to_le_bytes()).map_err(|e| Error::io(work.path(PAIRS), e))?;
    }
    Ok(())
}

/// The hashes of a shard's images in ascending order, read in parts.
pub struct Images {
    file: StoredFile,
    /// How many are not read yet.
    pub left: u64,
    part: std::vec::IntoIter<u64>,
    offset: u64,
}

impl Images {
    /// The next one. Errors: Io; Data when the file was cut since it was opened.
    pub fn next(&mut self) -> Result<Option<u64>> {
        if let Some(hash) = self.part.next() {
            return Ok(Some(hash));
        }
        let n = (self.left as usize).min(PART);
        if n == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; 8 * n];
        self.file.read_at(&mut bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        self.left -= n as u64;
        let hashes: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        self.part = hashes.into_iter();
        Ok(self.part.next())
    }
}
