//! Changes that know the format: what the outermost layer checks stays right, so that the inner layers see them.

use serde_json::{Map, Value, json};

use super::archive;
use super::mutate::{NUMBERS, number, raw};
use crate::draw::Source;

/// A change by the format that the content or the name shows. None where there is none.
pub fn change(s: &mut Source, path: &str, bytes: &mut Vec<u8>) -> Option<&'static str> {
    if bytes.starts_with(b"PK\x03\x04") {
        return entry(s, bytes);
    }
    if bytes.starts_with(b"PAR1") && bytes.len() > 12 {
        return Some(thrift(s, bytes));
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return chunk(s, bytes);
    }
    if bytes.starts_with(b"\x93NUMPY") {
        return npy(s, bytes);
    }
    if path.ends_with(".safetensors") {
        return safetensors(s, bytes);
    }
    if path.ends_with(".pkl") || bytes.starts_with(b"\x80\x02") {
        return Some(pickle(s, bytes));
    }
    if path.ends_with(".json") || path.ends_with(".jsonl") {
        return json_text(s, bytes);
    }
    None
}

/// An entry of a zip archive changed, renamed, doubled or removed. Sizes and checksums agree.
fn entry(s: &mut Source, bytes: &mut Vec<u8>) -> Option<&'static str> {
    let mut all = archive::entries(bytes)?;
    let at = s.below(all.len().max(1));
    let (name, data) = all.get_mut(at)?;
    let what = match s.below(12) {
        0 => {
            let copy = (name.clone(), data.clone());
            all.push(copy);
            "entry doubled"
        }
        1 => {
            all.remove(at);
            "entry removed"
        }
        2 => {
            *name = match s.below(4) {
                0 => name.repeat(2),
                1 => format!("../{name}"),
                2 => String::new(),
                _ => name.replace('/', "\\"),
            };
            "entry renamed"
        }
        3 => {
            let size = [1_000_000, 20_000_000][s.below(2)];
            data.resize(size, 0);
            "entry of megabytes"
        }
        _ => {
            // Most of the structure is in the pickle.
            let pickle = all.iter().position(|(name, _)| name.ends_with("data.pkl")).filter(|_| s.chance(75));
            let (name, data) = &mut all[pickle.unwrap_or(at)];
            let name = name.clone();
            change(s, &name, data).unwrap_or_else(|| raw(s, data, b""));
            "inside an entry"
        }
    };
    let compressed = s.chance(10);
    *bytes = archive::zip(&all, compressed);
    Some(what)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value & 127) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 128);
    }
}

/// A varint of Parquet's footer, or of the header of its first page, replaced; the footer's length agrees.
fn thrift(s: &mut Source, bytes: &mut Vec<u8>) -> &'static str {
    let tail = bytes.len() - 8;
    let length = u32::from_le_bytes([bytes[tail], bytes[tail + 1], bytes[tail + 2], bytes[tail + 3]]) as usize;
    let footer = tail.saturating_sub(length).max(4);
    if s.chance(10) {
        number(s, bytes, tail);
        return "the footer's length";
    }
    let in_footer = s.chance(75);
    let at = if in_footer { footer + s.below((tail - footer).max(1)) } else { 4 + s.below(40) };
    let Some(run) = bytes.get(at..tail.max(at)) else { return "nothing" };
    let width = run.iter().position(|b| b & 128 == 0).map_or(1, |n| n + 1).min(10).min(run.len());
    let value = NUMBERS[s.below(NUMBERS.len())];
    let coded = match s.below(4) {
        // Thrift's compact protocol writes integers in zigzag.
        0 | 1 => varint(((value << 1) ^ (value >> 63)) as u64),
        2 => varint(value as u64),
        _ => vec![s.below(256) as u8],
    };
    bytes.splice(at..at + width, coded);
    let tail = bytes.len() - 8;
    if in_footer {
        let length = (tail - footer) as u32;
        bytes[tail..tail + 4].copy_from_slice(&length.to_le_bytes());
    }
    "a varint"
}

/// A chunk of a PNG changed; its checksum agrees.
fn chunk(s: &mut Source, bytes: &mut Vec<u8>) -> Option<&'static str> {
    let mut starts = Vec::new();
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if bytes.len() < at.checked_add(length)?.checked_add(12)? {
            break;
        }
        starts.push((at, length));
        at += 12 + length;
    }
    let (at, length) = *starts.get(s.below(starts.len().max(1)))?;
    let mut data = bytes[at + 8..at + 8 + length].to_vec();
    match s.below(3) {
        0 if !data.is_empty() => {
            let place = s.below(data.len());
            number(s, &mut data, place);
        }
        _ => drop(raw(s, &mut data, b"")),
    }
    let kind = bytes[at + 4..at + 8].to_vec();
    let mut crc = flate2::Crc::new();
    crc.update(&kind);
    crc.update(&data);
    let whole = [&(data.len() as u32).to_be_bytes()[..], &kind, &data, &crc.sum().to_be_bytes()].concat();
    let whole = if s.chance(10) { [&whole[..], &whole[..]].concat() } else { whole };
    bytes.splice(at..at + 12 + length, whole);
    Some("a chunk")
}

/// The header of an array: its type, order or shape.
fn npy(s: &mut Source, bytes: &mut Vec<u8>) -> Option<&'static str> {
    let length = u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?]) as usize;
    let data = bytes.get(10 + length..)?.to_vec();
    let dtype = s.of(&[
        "<f4",
        "<f8",
        ">f8",
        "<f2",
        "|u1",
        "|b1",
        "<i8",
        ">u8",
        "<c16",
        "|O",
        "<U7",
        "|S999999999",
        "<V3",
        "[('a', '<f4')]",
        "",
    ]);
    let dimension = |s: &mut Source| match s.below(3) {
        0 => NUMBERS[s.below(NUMBERS.len())].to_string(),
        1 => s.below(80).to_string(),
        _ => s.of(&["", "1", "0", "-1", "1e3", "3L", "99999999999999999999", "(2,)", "None"]).to_string(),
    };
    let shape: Vec<String> = (0..s.below(6)).map(|_| dimension(s)).collect();
    let order = s.of(&["True", "False", "true", "1", ""]);
    let header = match s.below(6) {
        0 => format!("{{'shape': ({}), 'descr': '{dtype}', 'fortran_order': {order}}}", shape.join(",")),
        1 => format!("{{'descr': '{dtype}', 'descr': '<f4', 'fortran_order': False, 'shape': ({},)}}", shape.join(",")),
        2 => "{".repeat(s.below(30_000)),
        _ => format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({},), }}", shape.join(", ")),
    };
    let version = [1, 1, 1, 2, 3, 9][s.below(6)];
    let mut file = [b"\x93NUMPY".as_slice(), &[version, 0]].concat();
    match version {
        1 => file.extend((header.len() as u16).to_le_bytes()),
        _ => file.extend((header.len() as u32).to_le_bytes()),
    }
    file.extend(header.bytes());
    file.extend(data);
    *bytes = file;
    Some("the array's header")
}

/// The JSON at the head of a safetensors file; its length agrees.
fn safetensors(s: &mut Source, bytes: &mut Vec<u8>) -> Option<&'static str> {
    if s.chance(8) {
        number(s, bytes, 0);
        return Some("the header's length");
    }
    let length = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?) as usize;
    let mut header = bytes.get(8..length.checked_add(8)?)?.to_vec();
    let data = bytes[8 + length..].to_vec();
    // The specification of a model is JSON in a text of the metadata.
    let inner = serde_json::from_slice::<Value>(&header).ok().filter(|_| s.chance(50)).and_then(|mut whole| {
        let texts = whole.get_mut("__metadata__")?.as_object_mut()?;
        let at = s.below(texts.len());
        let text = texts.values_mut().nth(at)?;
        let mut json = text.as_str()?.as_bytes().to_vec();
        json_text(s, &mut json)?;
        *text = Value::String(String::from_utf8(json).ok()?);
        Some(serde_json::to_vec(&whole).unwrap())
    });
    match inner {
        Some(whole) => header = whole,
        None => drop(json_text(s, &mut header)?),
    }
    *bytes = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    Some("the header")
}

const OPERATIONS: &[&[u8]] = &[
    b"(",
    b".",
    b"0",
    b"1",
    b"2",
    b"a",
    b"e",
    b"l",
    b"d",
    b"t",
    b"u",
    b"s",
    b"b",
    b"R",
    b"Q",
    b"]",
    b"}",
    b")",
    b"\x85",
    b"\x86",
    b"\x87",
    b"N",
    b"\x88",
    b"\x89",
    b"h\x00",
    b"h\x01",
    b"h\xff",
    b"q\x00",
    b"q\x01",
    b"r\xff\xff\xff\xff",
    b"j\xff\xff\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"J\x00\x00\x00\x80",
    b"K\xff",
    b"M\xff\xff",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8a\xff",
    b"\x8b\xff\xff\xff\x7f",
    b"X\xff\xff\xff\x7f",
    b"X\xff\xff\xff\xff",
    b"X\x01\x00\x00\x00a",
    b"U\xff",
    b"T\xff\xff\xff\x7f",
    b"B\xff\xff\xff\x7f",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
    b"G\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"F1e999\n",
    b"I99999999999999999999\n",
    b"L1L\n",
    b"S'a'\n",
    b"V\\ud800\n",
    b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch\nFloatStorage\n",
    b"cos\nsystem\n",
    b"\x80\x05",
    b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x94",
    b"\x93",
    b"\x8f",
    b"\x90",
    b"\x91",
    b"\x92",
    b"P0\n",
    b"p0\n",
    b"g0\n",
];

/// Operations of a pickle put in, or numbers in it replaced.
fn pickle(s: &mut Source, bytes: &mut Vec<u8>) -> &'static str {
    let at = s.below(bytes.len() + 1);
    match s.below(8) {
        // A list in a list in a list, each twice: two to the power of the depth, if it is walked.
        0 => {
            let mut bomb = b"]q\x01".to_vec();
            for i in 2..10 + s.below(80) as u8 {
                bomb.extend([b']', b'q', i, b'(', b'h', i - 1, b'h', i - 1, b'e']);
            }
            bytes.splice(at..at, bomb);
            "lists of lists"
        }
        1 => {
            let operation = OPERATIONS[s.below(OPERATIONS.len())];
            let many = operation.repeat([100, 10_000, 300_000][s.below(3)]);
            bytes.splice(at..at, many);
            "an operation repeated"
        }
        2 | 3 => {
            // A number that is there: BININT1, BININT2, BININT, LONG1.
            let places: Vec<usize> =
                (0..bytes.len()).filter(|&i| matches!(bytes[i], b'K' | b'M' | b'J' | 0x8a)).collect();
            let Some(&place) = places.get(s.below(places.len().max(1))) else { return "nothing" };
            let width = match bytes[place] {
                b'K' => 1,
                b'M' => 2,
                b'J' => 4,
                _ => 1 + *bytes.get(place + 1).unwrap_or(&0) as usize,
            };
            let value = NUMBERS[s.below(NUMBERS.len())];
            let coded = [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat();
            bytes.splice(place..(place + 1 + width).min(bytes.len()), coded);
            "a number"
        }
        _ => {
            for _ in 0..1 + s.below(4) {
                let operation = OPERATIONS[s.below(OPERATIONS.len())];
                let at = s.below(bytes.len() + 1);
                bytes.splice(at..at, operation.iter().copied());
            }
            "operations"
        }
    }
}

/// A JSON text, or a line of JSON lines: a value replaced, a key renamed or doubled, nesting.
fn json_text(s: &mut Source, bytes: &mut Vec<u8>) -> Option<&'static str> {
    let (from, to, mut value) = match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => (0, bytes.len(), value),
        Err(_) => {
            let text = std::str::from_utf8(bytes).ok()?;
            let lines: Vec<&str> = text.lines().collect();
            let line = *lines.get(s.below(lines.len().max(1)))?;
            let from = line.as_ptr() as usize - text.as_ptr() as usize;
            (from, from + line.len(), serde_json::from_str(line).ok()?)
        }
    };
    let nodes = count(&value);
    let mut at = s.below(nodes);
    let what = change_node(s, &mut value, &mut at);
    let mut text = serde_json::to_string(&value).unwrap();
    // What serde_json would not write.
    for (mark, real) in [("\"#1e999\"", "1e999"), ("\"#big\"", "123456789012345678901234567890"), ("\"#nan\"", "NaN")] {
        text = text.replace(mark, real);
    }
    if text.contains("\"#deep\"") {
        let depth = [100, 5_000, 200_000][s.below(3)];
        let (open, close) = if s.chance(50) { ("[", "]") } else { ("{\"a\":", "}") };
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        text = text.replace("\"#deep\"", &deep);
    }
    if text.contains("#twice") {
        text = text.replace("#twice", "");
    }
    bytes.splice(from..to, text.into_bytes());
    Some(what)
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(count).sum(),
        Value::Object(all) => all.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the node at place `at` of a walk through the value.
fn change_node(s: &mut Source, value: &mut Value, at: &mut usize) -> &'static str {
    if *at == 0 {
        return match value {
            Value::Array(all) if s.chance(60) => {
                match s.below(4) {
                    0 => all.clear(),
                    1 => all.reverse(),
                    2 => {
                        let times = if s.chance(10) { 20_000 } else { 3 };
                        if let Some(first) = all.first().cloned() {
                            all.extend(std::iter::repeat_n(first, times));
                        }
                    }
                    _ => drop(all.pop()),
                }
                "a list"
            }
            Value::Object(all) if s.chance(60) => {
                let keys: Vec<String> = all.keys().cloned().collect();
                if let Some(key) = keys.get(s.below(keys.len().max(1))) {
                    let old = all.get(key).cloned().unwrap_or_default();
                    match s.below(4) {
                        0 => drop(all.remove(key)),
                        1 => drop(all.insert(format!("{key}#twice"), old)),
                        2 => {
                            all.remove(key);
                            all.insert(s.of(&["", "x", "id", "name", "é", "__proto__"]).to_string(), old);
                        }
                        _ => *all = Map::from_iter(all.clone().into_iter().rev()),
                    }
                }
                "a key"
            }
            _ => {
                *value = extreme(s, value);
                "a value"
            }
        };
    }
    *at -= 1;
    let inner: Vec<&mut Value> = match value {
        Value::Array(all) => all.iter_mut().collect(),
        Value::Object(all) => all.values_mut().collect(),
        _ => return "nothing",
    };
    for node in inner {
        let size = count(node);
        if *at < size {
            return change_node(s, node, at);
        }
        *at -= size;
    }
    "nothing"
}

fn extreme(s: &mut Source, old: &Value) -> Value {
    match s.below(14) {
        0..=4 => json!(NUMBERS[s.below(NUMBERS.len())]),
        5 => json!([0.5, -0.0, 1e308, 1e-320][s.below(4)]),
        6 => json!(s.of(&["", "a", "..", "#1e999", "#big", "#nan", "\u{0}", "\u{202e}", "\n"])),
        7 => json!("#deep"),
        8 => Value::Null,
        9 => json!(s.chance(50)),
        10 => json!([old, old]),
        11 => json!({ "a": old }),
        12 => json!(s.of(&["1", "-1", "1e5", "true", "cat"])),
        _ => json!(old.to_string()),
    }
}
