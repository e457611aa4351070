//! VOC's class lists: a folder with one text file per class and split, whose lines are an image and -1, 0 or 1.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Difficult, LoadOptions, Probe, Reader, voc};
use crate::activity::{self, console};
use crate::error::{Error, Result};
use crate::files;
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::tables::{TextFile, start_of_text};

pub const READER: Reader = Reader {
    name: "voc-lists",
    summary: "VOC's class lists: a folder (ImageSets/Main) of <class>_<split>.txt with lines `image 1`, `image 0` \
              (difficult) or `image -1` (absent)",
    lists_labels: true,
    has_splits: true,
    options: &["difficult", "encoding"],
    // A folder with annotations has the labels there.
    detect: |probe, options| {
        probe.is_folder && voc::annotations(&probe.path).is_none() && looks_so(&probe.path, options).unwrap_or(false)
    },
    read,
};

/// A list of a class and a split.
struct ClassFile {
    class: String,
    split: String,
    path: PathBuf,
}

/// The folder of lists: `ImageSets/Main` or `Main` in this one, or itself.
fn folder_of_lists(folder: &Path) -> PathBuf {
    let inside = [folder.join("ImageSets").join("Main"), folder.join("Main")];
    inside.into_iter().find(|inside| inside.is_dir()).unwrap_or_else(|| folder.to_path_buf())
}

/// The class and the split in the name of a list; a class may hold a `_` too.
fn class_and_split(path: &Path) -> Option<(&str, &str)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".txt")?;
    stem.rsplit_once('_').filter(|(class, split)| !class.is_empty() && !split.is_empty())
}

/// Whether one of the first files with a list's name has lines of an image and a flag.
fn looks_so(folder: &Path, options: &LoadOptions) -> Option<bool> {
    const TRIED: usize = 64;
    let files = files::entries(&folder_of_lists(folder)).ok()?.map(|entry| entry.path());
    let mut named = files.filter(|path| class_and_split(path).is_some()).take(TRIED);
    Some(named.any(|path| has_flags(&path, options) == Some(true)))
}

/// The lists of a folder, and the number of further files with names of lists.
fn class_files(folder: &Path, options: &LoadOptions) -> Result<(Vec<ClassFile>, usize)> {
    let folder = folder_of_lists(folder);
    let mut files = Vec::new();
    let mut passed_over = 0;
    for path in files::list(&folder)? {
        let Some((class, split)) = class_and_split(&path) else { continue };
        // A file without lines may be a list too.
        if has_flags(&path, options) == Some(false) {
            passed_over += 1;
            continue;
        }
        files.push(ClassFile { class: trimmed(class).to_string(), split: split.to_string(), path });
    }
    files.sort_by(|a, b| (&a.class, &a.split).cmp(&(&b.class, &b.split)));
    Ok((files, passed_over))
}

/// Whether the first line of a file is a word and -1, 0 or 1. `None` where there is no line.
fn has_flags(path: &Path, options: &LoadOptions) -> Option<bool> {
    use std::io::Read;
    let mut head = Vec::new();
    files::open(path).ok()?.take(1 << 10).read_to_end(&mut head).ok()?;
    let start = start_of_text(&head, options.encoding.as_deref())?;
    let line = start.split(['\n', '\r']).map(trimmed).find(|line| !line.is_empty())?;
    Some(flag_of(line).is_some_and(|(image, _)| !image.contains(char::is_whitespace)))
}

/// The image and the flag of a line.
fn flag_of(line: &str) -> Option<(&str, i8)> {
    let (image, flag) = line.rsplit_once(char::is_whitespace)?;
    // Not as truths elsewhere: -1 is absent and 0 difficult.
    let flag = match flag.parse::<f64>().ok()? {
        -1.0 => -1,
        0.0 => 0,
        1.0 => 1,
        _ => return None,
    };
    Some((trimmed(image), flag)).filter(|(image, _)| !image.is_empty())
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let root = probe.path.display();
    let (mut files, passed_over) = class_files(&probe.path, options)?;
    if files.is_empty() {
        let help = "the lists are <class>_<split>.txt, each with lines of an image and -1, 0 or 1";
        return Err(Error::in_file(&probe.path, "this folder holds no class lists").with_help(help));
    }
    let splits: BTreeSet<String> = files.iter().map(|file| file.split.clone()).collect();
    if let Some(split) = &options.split {
        if !splits.contains(split) {
            return Err(Error::unknown("split", split, splits.iter().map(String::as_str)));
        }
        files.retain(|file| file.split == *split);
    }
    let activity = activity::current();
    let lists = files
        .par_iter()
        .map(|file| {
            activity.check()?;
            flags(&file.path, options)
        })
        .collect::<Result<Vec<_>>>()?;
    // Flags of a class from all of its splits; the lists of trainval repeat those of train.
    let mut images: Vec<String> = Vec::new();
    let mut row_of: HashMap<String, usize> = HashMap::new();
    let mut classes: BTreeMap<&str, HashMap<usize, (i8, usize)>> = BTreeMap::new();
    for (f, (file, list)) in files.iter().zip(lists).enumerate() {
        activity.check()?;
        let class = classes.entry(&file.class).or_default();
        for (line, image, flag) in list {
            let row = *row_of.entry(image).or_insert_with_key(|image| {
                images.push(image.clone());
                images.len() - 1
            });
            let Some((other, before)) = class.insert(row, (flag, f)) else { continue };
            let (path, image) = (file.path.display(), &images[row]);
            if before == f {
                return Err(Error::data(format!("{path}, line {line}: image \"{image}\" appears twice")));
            }
            if other != flag {
                let before = files[before].path.display();
                let message = format!("{path}, line {line}: image \"{image}\" is {flag} here, but {other} in {before}");
                return Err(Error::data(message).with_help(format!("split: \"{}\" reads this split alone", file.split)));
            }
        }
    }
    if images.is_empty() {
        return Err(Error::in_file(&probe.path, "the class lists hold no images"));
    }
    let labels: Vec<String> = classes.keys().map(|class| class.to_string()).collect();
    let (mut present, mut unknown) = (vec![Vec::new(); images.len()], vec![Vec::new(); images.len()]);
    let mut difficult = 0_u64;
    for (label, (class, flags)) in classes.iter().enumerate() {
        if flags.len() < images.len() {
            let missing = (0..images.len()).find(|row| !flags.contains_key(row)).unwrap_or(0);
            let n = images.len() - flags.len();
            let mut message = format!(
                "no list of class \"{class}\" has image \"{}\", which other classes' lists have",
                images[missing]
            );
            if n > 1 {
                message += &format!(" (and {} more)", n - 1);
            }
            return Err(Error::in_file(&probe.path, message)
                .with_help("every class needs a line for every image; split reads one split alone"));
        }
        for (&row, (flag, _)) in flags {
            difficult += u64::from(*flag == 0);
            match (*flag, options.difficult) {
                (1, _) | (0, Difficult::Keep) => present[row].push(label as u32),
                (0, Difficult::Mask) => unknown[row].push(label as u32),
                _ => {}
            }
        }
    }
    if passed_over > 0 {
        console::log(&format!(
            "{root}: {passed_over} other files with names of class lists hold no -1, 0 or 1; passed over"
        ));
    }
    if difficult > 0 {
        let how = match options.difficult {
            Difficult::Keep => "counted as present (difficult: \"drop\" or \"mask\" does not)",
            Difficult::Drop => "counted as absent",
            Difficult::Mask => "masked",
        };
        console::log(&format!("{root}: {difficult} entries are 0: all objects of the class are difficult; {how}"));
    }
    let table = LabelTable::from_lists(labels, images, &present)?;
    if options.difficult == Difficult::Mask { table.with_unknown(&unknown) } else { Ok(table) }
}

/// The lines of a list: number, image, flag. Errors: another line, an image that comes twice.
fn flags(path: &Path, options: &LoadOptions) -> Result<Vec<(usize, String, i8)>> {
    let text = TextFile::read_as(path, options.encoding.as_deref())?;
    let mut lines = Vec::new();
    for (line, content) in text.lines() {
        let (image, flag) = flag_of(trimmed(content))
            .ok_or_else(|| text.at(line, format!("expected an image and -1, 0 or 1; got \"{content}\"")))?;
        lines.push((line, image.to_string(), flag));
    }
    Ok(lines)
}
