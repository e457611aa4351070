//! Reads NumPy's .npy and .npz (NEP 1): both orders of axes, both orders of bytes.

use std::fmt::Display;
use std::io::Read;
use std::path::Path;

use tch::{Kind, Tensor};

use super::{shape, zip};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;
use crate::memory;

/// Element types by NumPy's kind and size in bytes. libtorch's types of 16 bits and more without a sign know few
/// operations, so such numbers are read into the next wider type.
const TYPES: &[(&str, Kind)] = &[
    ("b1", Kind::Bool),
    ("i1", Kind::Int8),
    ("i2", Kind::Int16),
    ("i4", Kind::Int),
    ("i8", Kind::Int64),
    ("u1", Kind::Uint8),
    ("u2", Kind::Int),
    ("u4", Kind::Int64),
    ("u8", Kind::Int64),
    ("f2", Kind::Half),
    ("f4", Kind::Float),
    ("f8", Kind::Double),
];

/// The array of a .npy file `[shape of the file]`.
///
/// Errors: Io; Data for a file that is cut short or no array, and for an element type that is not read (by its name).
pub fn read_npy(path: &Path) -> Result<Tensor> {
    let bytes = files::read(path)?;
    array(&bytes).map_err(|e| Error { message: format!("{}: {}", path.display(), e.message), ..e }.about_file(path))
}

/// The arrays of a .npz file by name, in the order of the file; compressed or not.
pub fn read_npz(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let bytes = files::read(path)?;
    if !bytes.starts_with(b"PK") {
        return Err(Error::in_file(path, "not a .npz file, which is a zip archive of .npy files"));
    }
    let in_file = |e: Error| Error { message: format!("{}: {}", path.display(), e.message), ..e }.about_file(path);
    let (mut arrays, mut unpacked) = (Vec::new(), 0u64);
    for entry in zip::all_entries(&bytes).map_err(in_file)? {
        interrupt::check()?;
        let of_entry = |what: &str| Error::in_file(path, format!("array \"{}\": {what}", entry.name));
        unpacked = unpacked.saturating_add(entry.size);
        if unpacked > (bytes.len() as u64).saturating_mul(TIMES).max(LEAST) {
            let (all, file) = (memory::said(unpacked), memory::said(bytes.len() as u64));
            let what = format!("unpacked it and those before it have {all}, more than {TIMES} times the file's {file}");
            return Err(of_entry(&what)
                .with_help("numpy.savez writes arrays without packing them; those are read whatever their size"));
        }
        let whole = match entry.method {
            0 => entry.checked(entry.data).and_then(|()| array(entry.data)),
            8 => inflated(entry.data, entry.size).and_then(|bytes| entry.checked(&bytes).and_then(|()| array(&bytes))),
            _ => return Err(of_entry("it is compressed in another way than NumPy does it")),
        };
        let name = entry.name.strip_suffix(".npy").unwrap_or(&entry.name).to_string();
        arrays.push((name, whole.map_err(|e| of_entry(&e.message))?));
    }
    Ok(arrays)
}

/// The bytes of a compressed array: at most as many as its header asks for, whatever the archive says.
fn inflated(compressed: &[u8], size: u64) -> Result<Vec<u8>> {
    let mut stream = flate2::read::DeflateDecoder::new(compressed);
    let mut bytes = Vec::new();
    let mut read_to = |bytes: &mut Vec<u8>, end: usize| -> Result<()> {
        loop {
            interrupt::check()?;
            let more = end.saturating_sub(bytes.len()).min(PART) as u64;
            let read = stream.by_ref().take(more).read_to_end(bytes);
            if read.map_err(|_| Error::data("its compressed bytes are damaged"))? < PART {
                return Ok(());
            }
        }
    };
    read_to(&mut bytes, PREFIX)?;
    let (_, end) = header_place(&bytes)?;
    read_to(&mut bytes, end)?;
    let whole = Described::of(&bytes)?.whole()?;
    if whole as u64 != size {
        return Err(bad(&format!("the archive gives it {size} bytes, which its header does not need")));
    }
    // Memory is asked for before they are unpacked; twice, as they are copied into a tensor.
    let free = memory::left();
    if size.saturating_mul(2) > free {
        let what = format!("unpacked it has {}; {} of memory are free", memory::said(size), memory::said(free));
        return Err(bad(&what));
    }
    read_to(&mut bytes, whole)?;
    // One more would be too many.
    let end = bytes.len() + 1;
    read_to(&mut bytes, end)?;
    Ok(bytes)
}

/// The parts of a header `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
struct Header {
    /// `<f8`
    descr: String,
    fortran_order: bool,
    shape: Vec<i64>,
}

impl Header {
    /// As NumPy reads it: a dictionary of Python with these three keys and no other, each once.
    fn parse(text: &str) -> Option<Header> {
        let Literal::Dictionary(mut entries) = Literal::parse(text)? else { return None };
        let mut take = |key: &str| {
            let at = entries.iter().position(|(known, _)| matches!(known, Literal::Text(text) if text == key))?;
            Some(entries.swap_remove(at).1)
        };
        let (descr, order, shape) = (take("descr")?, take("fortran_order")?, take("shape")?);
        let descr = match descr {
            Literal::Text(text) => text,
            Literal::List(_) => "a record of fields".to_string(),
            _ => return None,
        };
        let (Literal::Truth(fortran_order), Literal::Tuple(sizes)) = (order, shape) else { return None };
        let size = |size: &Literal| if let Literal::Whole(n) = size { Some(*n).filter(|n| *n >= 0) } else { None };
        let shape = sizes.iter().map(size).collect::<Option<Vec<i64>>>()?;
        entries.is_empty().then_some(Header { descr, fortran_order, shape })
    }
}

/// A value as Python's `ast.literal_eval` reads it, of the kinds that a header may have.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Text(String),
    Whole(i64),
    Truth(bool),
    Tuple(Vec<Literal>),
    List(Vec<Literal>),
    Dictionary(Vec<(Literal, Literal)>),
}

impl Literal {
    /// The one value that a text is.
    fn parse(text: &str) -> Option<Literal> {
        let mut rest = text;
        let value = Literal::read(&mut rest, 0)?;
        rest.trim_start().is_empty().then_some(value)
    }

    /// The value at the beginning of a text, which is taken off.
    fn read(rest: &mut &str, depth: usize) -> Option<Literal> {
        /// A field of fields of fields.
        const DEEPEST: usize = 32;
        *rest = rest.trim_start();
        let first = rest.chars().next().filter(|_| depth < DEEPEST)?;
        match first {
            '\'' | '"' => Literal::text(rest, first),
            '(' => match Literal::items(rest, ')', depth)? {
                // Brackets alone make no tuple.
                (mut items, false) if items.len() == 1 => items.pop(),
                (items, _) => Some(Literal::Tuple(items)),
            },
            '[' => Literal::items(rest, ']', depth).map(|(items, _)| Literal::List(items)),
            '{' => Literal::dictionary(rest, depth),
            _ => {
                let end =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                *rest = behind;
                match word {
                    "True" => Some(Literal::Truth(true)),
                    "False" => Some(Literal::Truth(false)),
                    // Python 2 wrote 3L.
                    number => number.strip_suffix('L').unwrap_or(number).parse().ok().map(Literal::Whole),
                }
            }
        }
    }

    fn text(rest: &mut &str, quote: char) -> Option<Literal> {
        let (mut text, mut characters) = (String::new(), rest[1..].char_indices());
        while let Some((at, c)) = characters.next() {
            match c {
                // Names of fields alone have them, and are not asked for.
                '\\' => text.extend(['\\', characters.next()?.1]),
                '\n' => return None,
                c if c == quote => {
                    *rest = &rest[at + 2..];
                    return Some(Literal::Text(text));
                }
                c => text.push(c),
            }
        }
        None
    }

    /// The items up to a bracket, and whether a comma is behind the last.
    fn items(rest: &mut &str, close: char, depth: usize) -> Option<(Vec<Literal>, bool)> {
        let (mut items, mut comma) = (vec![], false);
        *rest = rest[1..].trim_start();
        loop {
            if let Some(behind) = rest.strip_prefix(close) {
                *rest = behind;
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(Literal::read(rest, depth + 1)?);
            *rest = rest.trim_start();
            comma = rest.starts_with(',');
            *rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
    }

    fn dictionary(rest: &mut &str, depth: usize) -> Option<Literal> {
        let mut entries: Vec<(Literal, Literal)> = vec![];
        *rest = rest[1..].trim_start();
        loop {
            if let Some(behind) = rest.strip_prefix('}') {
                *rest = behind;
                return Some(Literal::Dictionary(entries));
            }
            let key = Literal::read(rest, depth + 1)?;
            *rest = rest.trim_start().strip_prefix(':')?;
            let value = Literal::read(rest, depth + 1)?;
            // Python takes the last of two; who else reads the file may take the first.
            if entries.iter().any(|(known, _)| *known == key) {
                return None;
            }
            entries.push((key, value));
            *rest = rest.trim_start();
            match rest.strip_prefix(',') {
                Some(behind) => *rest = behind.trim_start(),
                None if rest.starts_with('}') => {}
                None => return None,
            }
        }
    }
}

/// Bytes to which any archive may be unpacked, and those per byte of a larger one. DEFLATE packs up to 1032 into one.
const LEAST: u64 = 2 << 30;
const TIMES: u64 = 256;
/// Bytes that are unpacked before Ctrl-C is looked at.
const PART: usize = 4 << 20;
/// The bytes before a header: the format's name, its version and the header's length.
const PREFIX: usize = 12;
/// The longest header that is read. NumPy itself stops at 10,000 characters.
const HEADER: usize = 1 << 16;

fn bad(what: &str) -> Error {
    Error::data(format!("not a NumPy array that can be read: {what}"))
}

fn cut_short(expected: impl Display, came: usize) -> Error {
    bad(&super::cut_short(expected, came))
}

/// Where the header begins and where it ends, from the first [`PREFIX`] bytes.
fn header_place(bytes: &[u8]) -> Result<(usize, usize)> {
    if bytes.is_empty() {
        return Err(bad("it is empty"));
    }
    let Some(behind) = bytes.strip_prefix(b"\x93NUMPY") else {
        return Err(bad("it does not begin as a .npy file does"));
    };
    let (length, begin) = match behind {
        [1, _, a, b, ..] => (u16::from_le_bytes([*a, *b]) as usize, 10),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        [1..=3, ..] | [] => return Err(cut_short("10 or more", bytes.len())),
        [version, ..] => return Err(bad(&format!("it has version {version} of the format"))),
    };
    if length > HEADER {
        return Err(bad(&format!("its header would have {length} bytes; at most {HEADER} are read")));
    }
    Ok((begin, begin + length))
}

/// The content of a header.
struct Described {
    header: Header,
    /// `<`, `>`, `=` or `|`.
    order: u8,
    /// Name and kind of the elements, and the bytes of each.
    name: &'static str,
    kind: Kind,
    size: usize,
    /// Where the elements begin.
    start: usize,
}

impl Described {
    fn of(bytes: &[u8]) -> Result<Described> {
        let (begin, start) = header_place(bytes)?;
        let header = String::from_utf8_lossy(bytes.get(begin..start).ok_or_else(|| cut_short(start, bytes.len()))?);
        let header = Header::parse(&header).ok_or_else(|| bad("its header does not tell type, order and shape"))?;
        let (order, name) = match header.descr.as_bytes() {
            [order @ (b'<' | b'>' | b'=' | b'|'), ..] => (*order, &header.descr[1..]),
            _ => (b'=', header.descr.as_str()),
        };
        let Some(&(name, kind)) = TYPES.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
            return Err(bad(&format!("its elements are {}", said_type(&header.descr))).with_help(format!(
                "read are the element types {}; array.astype(\"float32\") converts",
                known.join(", ")
            )));
        };
        let size = (name.as_bytes()[1] - b'0') as usize;
        Ok(Described { header, order, name, kind, size, start })
    }

    /// The bytes of the file.
    fn whole(&self) -> Result<usize> {
        let (_, elements) = shape::checked(&self.header.shape).map_err(|e| bad(&e.message))?;
        let whole = elements.checked_mul(self.size).and_then(|data| data.checked_add(self.start));
        whole.ok_or_else(|| bad("its shape needs more bytes than a file can have"))
    }
}

fn array(bytes: &[u8]) -> Result<Tensor> {
    let described = Described::of(bytes)?;
    match described.whole()? {
        whole if bytes.len() == whole => {}
        whole if bytes.len() > whole => {
            let came = bytes.len();
            return Err(bad(&format!("there is more behind the array: expected {whole} bytes; got {came}")));
        }
        whole => return Err(cut_short(whole, bytes.len())),
    }
    let data = &bytes[described.start..];
    let Described { header, order, name, kind, size, .. } = described;
    let mut data = data.to_vec();
    if order == b'>' {
        data.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    let data = match name {
        "u2" => widened::<2, 4>(&data),
        "u4" => widened::<4, 8>(&data),
        // The highest byte is the last.
        "u8" if data.chunks_exact(8).any(|n| n[7] >= 128) => {
            return Err(bad("it holds a whole number of 2^63 or more"));
        }
        _ => data,
    };
    let axes: Vec<i64> = (0..header.shape.len() as i64).rev().collect();
    match header.fortran_order {
        false => Ok(Tensor::f_from_data_size(&data, &header.shape, kind)?),
        true => {
            let reversed: Vec<i64> = header.shape.iter().rev().copied().collect();
            Ok(Tensor::f_from_data_size(&data, &reversed, kind)?.f_permute(&axes[..])?.f_contiguous()?)
        }
    }
}

/// Numbers without a sign, little end first, in twice the bytes.
fn widened<const FROM: usize, const TO: usize>(data: &[u8]) -> Vec<u8> {
    let mut wide = vec![0; data.len() / FROM * TO];
    wide.chunks_exact_mut(TO).zip(data.chunks_exact(FROM)).for_each(|(to, from)| to[..FROM].copy_from_slice(from));
    wide
}

/// A type as NumPy's documentation calls it: `<U2` is text.
fn said_type(descr: &str) -> String {
    let kind = match descr.trim_start_matches(['<', '>', '=', '|']).chars().next() {
        Some('U' | 'S') => "text",
        Some('c') => "complex numbers",
        Some('O') => "Python objects",
        Some('M' | 'm') => "dates or times",
        Some('f') => "floats of a size that libtorch does not have",
        _ => return descr.chars().take(40).collect(),
    };
    format!("{kind} ({})", descr.chars().take(20).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as `numpy.save` writes it (NumPy 2.4).
    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        let header = format!("{header:<117}\n");
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn values(header: &str, data: &str) -> (Vec<i64>, Kind, Vec<f64>) {
        let t = array(&npy(header, &hex(data))).unwrap();
        let flat = t.to_kind(Kind::Double).contiguous().view([-1]);
        (t.size(), t.kind(), Vec::try_from(&flat).unwrap())
    }

    fn refused(header: &str, data: &str) -> String {
        array(&npy(header, &hex(data))).unwrap_err().message
    }

    #[test]
    fn arrays_that_numpy_wrote() {
        // np.asfortranarray(np.arange(6.).reshape(2, 3))
        let fortran =
            "00000000000000000000000000000840000000000000f03f000000000000104000000000000000400000000000001440";
        let header = "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }";
        assert_eq!(values(header, fortran), (vec![2, 3], Kind::Double, vec![0., 1., 2., 3., 4., 5.]));
        // np.arange(3, dtype=">i4")
        let header = "{'descr': '>i4', 'fortran_order': False, 'shape': (3,), }";
        assert_eq!(values(header, "000000000000000100000002"), (vec![3], Kind::Int, vec![0., 1., 2.]));
        // np.array([65535, 1], "<u2")
        let header = "{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }";
        assert_eq!(values(header, "ffff0100"), (vec![2], Kind::Int, vec![65535., 1.]));
        // np.array([True, False]); np.array(3.5, "<f4")
        let header = "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }";
        assert_eq!(values(header, "0100"), (vec![2], Kind::Bool, vec![1., 0.]));
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (), }";
        assert_eq!(values(header, "00006040"), (vec![], Kind::Float, vec![3.5]));
        assert_eq!(values("{'descr': '<f4', 'fortran_order': True, 'shape': (0, 3), }", "").0, [0, 3]);
    }

    /// What `numpy.load` of NumPy 2.4 says of the same headers, but for a key that is there twice, of which it takes the last.
    #[test]
    fn a_header_is_a_dictionary_of_python() {
        for (header, size) in [
            // In any order and any quotes, with and without commas at the end, and as Python 2 wrote it.
            ("{'shape': (1,), 'descr': '<i4', 'fortran_order': False}", vec![1]),
            ("{\"descr\": \"<i4\", \"fortran_order\": False, \"shape\": (1L,), }", vec![1]),
            ("{'descr':'<i4','fortran_order':True,'shape':(1,1)}", vec![1, 1]),
            ("{'descr': '<i4',\n 'fortran_order': False,\n 'shape': ()}", vec![]),
            ("{'descr': ('<i4'), 'fortran_order': (False), 'shape': (1,)}", vec![1]),
        ] {
            assert_eq!(values(header, "07000000").0, size, "{header}");
        }
        for header in [
            "{'descr': '<i4', 'fortran_order': Falsehood, 'shape': (1,)}",
            "{'descr': '<i4', 'fortran_order': 'False', 'shape': (1,)}",
            "{'descr': '<i4', 'fortran_order': 0, 'shape': (1,)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': [1]}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1,,)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (,)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1 1)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1,)} and more",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1,)",
            "{'descr': '<i4' 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
            "{'descr': '<i4', 'shape': (1,)}",
            // A key inside of a text is none.
            "{'note': \"'descr': '<i4', 'fortran_order': False, 'shape': (1,)\"}",
            "{'x': \"'descr': '<i4'\", 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), 'shape': (2,)}",
            "['descr', 'fortran_order', 'shape']",
            "",
        ] {
            assert!(refused(header, "07000000").contains("its header does not tell"), "{header}");
        }
        let deep = format!("{{'descr': {}, 'fortran_order': False, 'shape': (1,)}}", "[".repeat(5000));
        assert!(refused(&deep, "").contains("its header does not tell"));
    }

    #[test]
    fn other_types_and_damage_are_named() {
        let of = |descr: &str, data: &str| {
            refused(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"), data)
        };
        let begin = "not a NumPy array that can be read: ";
        assert_eq!(of("'<U2'", "6100000062000000"), format!("{begin}its elements are text (<U2)"));
        assert_eq!(
            of("'<c16'", "0000000000000000000000000000f03f"),
            format!("{begin}its elements are complex numbers (<c16)")
        );
        assert_eq!(of("'<u8'", "0000000000000080"), format!("{begin}it holds a whole number of 2^63 or more"));
        assert_eq!(of("[('a', '<i4')]", "00000000"), format!("{begin}its elements are a record of fields"));
        assert_eq!(of("'<i4'", "0000"), format!("{begin}the file is cut short: expected 132 bytes; got 130"));
        assert_eq!(
            of("'<i4'", "0000000000"),
            format!("{begin}there is more behind the array: expected 132 bytes; got 133")
        );
        assert!(refused("{'descr': '<i4', 'shape': (1,)}", "00000000").contains("its header does not tell"));
        let huge = "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807), }";
        assert!(refused(huge, "").ends_with("a shape is larger than any memory"));
        for cut in [&b""[..], b"\x93NUM", b"\x93NUMPY", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"] {
            assert!(array(cut).is_err());
        }
    }

    #[test]
    fn a_compressed_array_is_read_as_far_as_its_header_asks() {
        let compressed = |bytes: &[u8]| {
            let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut out, bytes).unwrap();
            out.finish().unwrap()
        };
        let whole = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", &[1, 2, 3]);
        let size = whole.len() as u64;
        assert_eq!(inflated(&compressed(&whole), size).unwrap(), whole);
        // 64 MiB of zeros behind it: one byte too many is enough to know.
        let long = compressed(&[whole.clone(), vec![0; 1 << 26]].concat());
        assert_eq!(inflated(&long, size).unwrap().len(), whole.len() + 1);
        assert!(array(&inflated(&long, size).unwrap()).unwrap_err().message.contains("there is more behind the array"));
        let lies = inflated(&long, size + (1 << 26)).unwrap_err().message;
        assert!(lies.ends_with("bytes, which its header does not need"), "{lies}");
        let header = [&b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"[..], &vec![b' '; 1 << 20]].concat();
        let long = inflated(&compressed(&header), 1 << 31).unwrap_err().message;
        assert!(long.ends_with("its header would have 2147483647 bytes; at most 65536 are read"), "{long}");
        assert!(array(&inflated(&compressed(&whole[..whole.len() - 1]), size).unwrap()).is_err());
    }

    #[test]
    fn archives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        // np.savez_compressed("x.npz", a=np.zeros(64, "i1"), b=np.arange(2, dtype=">i2")), with a fixed date.
        std::fs::write(&path, hex(ARCHIVE)).unwrap();
        let arrays = read_npz(&path).unwrap();
        assert_eq!(arrays.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((arrays[0].1.size(), arrays[0].1.kind()), (vec![64], Kind::Int8));
        assert_eq!(Vec::<i64>::try_from(&arrays[1].1.to_kind(Kind::Int64)).unwrap(), [0, 1]);
        let bytes = hex(ARCHIVE);
        for end in 0..bytes.len() {
            std::fs::write(&path, &bytes[..end]).unwrap();
            assert!(read_npz(&path).is_err(), "{end}");
        }
    }

    const ARCHIVE: &str = concat!(
        "504b03042d000000080000002100a3dd0d49ffffffffffffffff05001400612e6e707901001000c0000000000000004800000000000000",
        "9bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e9369a8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402",
        "f91a66263a9a3a0ab50ae4032e060a0100504b03042d000000080000002100f1a00431ffffffffffffffff05001400622e6e7079010010",
        "00840000000000000048000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9769a4aea3a09e965f54529498179f5f",
        "94920a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e0606064600504b01022d032d000000080000002100a3dd0d4948",
        "000000c0000000050000000000000000000000800100000000612e6e7079504b01022d032d000000080000002100f1a004314800000084",
        "00000005000000000000000000000080017f000000622e6e7079504b0506000000000200020066000000fe0000000000",
    );
}
