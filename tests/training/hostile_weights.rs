//! Files of weights that lie: no memory beyond what the file holds, no reading past it, an error in a sentence.

use std::path::{Path, PathBuf};

use cpsd::models::weights::{self, read_npy, read_npz};
use cpsd::models::{Beside, Model, ModelSpec};
use cpsd::torch::to_vec_f32;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{labels, root};

/// A file of the samples beside the repository. Tests that need one are skipped where the folder is absent.
fn sample(name: &str) -> Option<PathBuf> {
    Some(root("../shared/cases/90-hostile-files").join(name)).filter(|path| path.exists())
}

#[test]
fn samples_are_errors() {
    let Some(path) = sample("m_width.safetensors") else { return };
    let error = Model::load(&path, Device::Cpu).map(|_| ()).unwrap_err().message;
    assert!(error.contains("not a model that save wrote"), "{error}");
    for name in ["npy_3_229.npy", "oob_mid.npy"] {
        let Some(path) = sample(name) else { return };
        let error = read_npy(&path).unwrap_err().message;
        assert!(error.contains("not a NumPy array that can be read"), "{error}");
    }
    let Some(path) = sample("selfdict.pth") else { return };
    // Dicts that contain themselves are each looked into once.
    assert!(weights::read(&path).unwrap_err().message.ends_with("there is no tensor in it"));
}

/// A zip archive of stored entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let mut checksum = flate2::Crc::new();
        checksum.update(bytes);
        let sizes = [checksum.sum(), bytes.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
        let place = (out.len() as u32).to_le_bytes();
        let length = (name.len() as u16).to_le_bytes();
        out.extend([b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0", &*sizes, &length, &[0, 0], name.as_bytes(), bytes].concat());
        directory.extend(
            [b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0", &*sizes, &length, &[0; 12], &place, name.as_bytes()].concat(),
        );
    }
    let (count, place) = ((entries.len() as u16).to_le_bytes(), (out.len() as u32).to_le_bytes());
    let size = (directory.len() as u32).to_le_bytes();
    out.extend([&*directory, b"PK\x05\x06\0\0\0\0", &count, &count, &size, &place, &[0, 0]].concat());
    out
}

/// A `.pth` of views of one storage of `elements` float32: (name, offset, shape, strides).
fn state_dict(elements: i32, views: &[(String, i32, Vec<i32>, Vec<i32>)]) -> Vec<u8> {
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |n: &i32| [b"J", &n.to_le_bytes()[..]].concat();
    let tuple = |items: &[i32]| [b"(", &*items.iter().flat_map(number).collect::<Vec<u8>>(), b"t"].concat();
    let storage =
        [b"((", &*text("storage"), b"ctorch\nFloatStorage\n", &text("0"), &text("cpu"), &number(&elements), b"tQ"];
    let storage = storage.concat();
    let mut pickle = b"\x80\x02}(".to_vec();
    for (name, offset, size, stride) in views {
        pickle.extend(text(name));
        pickle.extend(
            [b"ctorch._utils\n_rebuild_tensor_v2\n", &*storage, &number(offset), &tuple(size), &tuple(stride)].concat(),
        );
        pickle.extend(b"\x89}tR");
    }
    pickle.extend(b"u.");
    let data: Vec<u8> = (0..elements).flat_map(|n| (n as f32).to_le_bytes()).collect();
    archive(&[("x/data.pkl", &pickle), ("x/data/0", &data)])
}

fn read(folder: &Path, bytes: &[u8]) -> Result<Vec<(String, Tensor)>, String> {
    let path = folder.join("x.pth");
    std::fs::write(&path, bytes).unwrap();
    weights::read(&path).map_err(|error| error.message)
}

#[test]
fn a_view_is_a_copy_of_its_part() {
    let folder = tempfile::tempdir().unwrap();
    let view =
        |name: &str, offset, size: &[i32], stride: &[i32]| (name.to_string(), offset, size.to_vec(), stride.to_vec());
    let views = [
        view("all", 0, &[2, 6], &[6, 1]),
        view("row", 6, &[6], &[1]),
        view("turned", 1, &[3, 2], &[1, 6]),
        view("apart", 0, &[2, 1], &[11, 5]),
        view("one", 4, &[], &[]),
        view("none", 0, &[0, 3], &[3, 1]),
        view("again", 6, &[6], &[1]),
    ];
    let tensors = read(folder.path(), &state_dict(12, &views)).unwrap();
    let of = |name: &str| &tensors.iter().find(|(n, _)| n == name).unwrap().1;
    let values = |name: &str| to_vec_f32(of(name)).unwrap();
    assert_eq!(values("row"), [6., 7., 8., 9., 10., 11.]);
    assert_eq!((of("turned").size(), values("turned")), (vec![3, 2], vec![1., 7., 2., 8., 3., 9.]));
    assert_eq!((values("apart"), values("one"), of("none").size()), (vec![0., 11.], vec![4.], vec![0, 3]));
    assert!(of("row").data_ptr() == of("again").data_ptr() && of("row").data_ptr() != of("all").data_ptr());
    for (_, offset, size, stride) in
        [view("", 0, &[13], &[1]), view("", 12, &[1], &[1]), view("", 0, &[2], &[12]), view("", -1, &[1], &[1])]
    {
        let error = read(folder.path(), &state_dict(12, &[("x".into(), offset, size, stride)])).unwrap_err();
        assert!(
            error.contains("outside of its storage") || error.contains("larger than") || error.contains("negative"),
            "{error}"
        );
    }
    let error = read(folder.path(), &state_dict(12, &[view("x", 0, &[2, 12], &[0, 1])])).unwrap_err();
    assert!(error.contains("larger than its storage"), "{error}");
}

#[test]
fn many_views_of_one_storage_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let view = |i: i32, elements: i32| (format!("{i}"), i, vec![elements], vec![1]);
    // The same one 5,000 times takes its memory once.
    let same: Vec<_> = (0..5000).map(|i| (format!("{i}"), 0, vec![100_000], vec![1])).collect();
    let tensors = read(folder.path(), &state_dict(100_000, &same)).unwrap();
    assert!(tensors.len() == 5000 && tensors.iter().all(|(_, t)| t.data_ptr() == tensors[0].1.data_ptr()));
    let other: Vec<_> = (0..5000).map(|i| view(i, 90_000)).collect();
    let error = read(folder.path(), &state_dict(100_000, &other)).unwrap_err();
    assert!(error.ends_with("its tensors would take more than 4 times the 0.4 MB that the file holds"), "{error}");
    let few: Vec<_> = (0..4).map(|i| view(i, 90_000)).collect();
    assert_eq!(read(folder.path(), &state_dict(100_000, &few)).unwrap().len(), 4);
}

#[test]
fn pickles_that_repeat_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let of = |pickle: Vec<u8>| read(folder.path(), &archive(&[("x/data.pkl", &pickle)])).unwrap_err();
    // A million calls with a list of a million items, remembered once.
    let list =
        [b"\x80\x02](".to_vec(), vec![b'N'; 1_000_000], b"eq\x000ccollections\nOrderedDict\nq\x01".to_vec()].concat();
    let error = of([list, b"h\x01h\x00R".repeat(1_000_000), b".".to_vec()].concat());
    assert!(error.contains("there is no tensor in it"), "{error}");
    let error = of(vec![b']'; 11_000_000]);
    assert!(error.contains("more than 10000000 steps"), "{error}");
    // Every dict contains itself under every name that may wrap a state dict.
    let names = ["state_dict", "model", "ema", "module", "net", "network", "weights", "params"];
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let mut pickle = b"\x80\x02}q\x00".to_vec();
    names.iter().for_each(|name| pickle.extend([&*text(name), b"h\x00s"].concat()));
    pickle.push(b'.');
    assert!(of(pickle).contains("there is no tensor in it"));
}

#[test]
fn archives_with_tricks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let npz = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_npz(&path).map(|arrays| arrays.len()).map_err(|error| error.message)
    };
    let array = folder.path().join("a.npy");
    weights::write_npy(&array, &Tensor::from_slice(&[1i64, 2, 3])).unwrap();
    let array = std::fs::read(array).unwrap();
    let good = archive(&[("a.npy", &array), ("b.npy", &array)]);
    assert_eq!(npz(&good), Ok(2));
    let twice = npz(&archive(&[("a.npy", &array), ("a.npy", &array)])).unwrap_err();
    assert!(twice.ends_with("two entries of the archive are named \"a.npy\""), "{twice}");
    // The second entry of the directory points to the first one's bytes.
    let mut overlaps = good.clone();
    let second = overlaps.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    overlaps[second + 42..second + 46].fill(0);
    assert!(npz(&overlaps).unwrap_err().ends_with("two entries of the archive overlap"));
    let mut flipped = good.clone();
    flipped[35 + array.len() - 1] ^= 1;
    assert!(npz(&flipped).unwrap_err().ends_with("it is damaged"));
    for (place, lie) in [(20, 1u32), (24, 1), (20, u32::MAX), (42, 7), (42, u32::MAX - 1)] {
        let mut lies = good.clone();
        lies[second + place..second + place + 4].copy_from_slice(&lie.to_le_bytes());
        assert!(npz(&lies).is_err(), "{place} {lie}");
    }
    let mut count = good.clone();
    let end = count.len() - 22;
    count[end + 10..end + 12].fill(0xff);
    assert!(npz(&count).is_err());
}

#[test]
fn a_model_that_no_machine_holds_is_refused_before_it_is_made() {
    let spec = ModelSpec { head: "conv".into(), head_width: Some(1_000_000_000), ..ModelSpec::default() };
    assert!(Model::new(&spec, &labels(2), 0, Device::Cpu).is_err());
    // 65,536 × 8,000,000 numbers in small tensors would take longer than this test may.
    let spec = ModelSpec {
        head: "add_gcn".into(),
        head_options: [("width".into(), 65536.0.into())].into(),
        ..ModelSpec::default()
    };
    let error = Model::new(&spec, &labels(30_000), 0, Device::Cpu).map(|_| ()).unwrap_err();
    assert!(error.message.contains("of memory") || error.message.contains("numbers are allowed"), "{}", error.message);
}

#[test]
fn a_model_on_a_module_is_loaded_with_that_module_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let module = |name: &str| root("tests/goldens/models").join(name);
    std::fs::copy(module("traced.pt"), at("net.pt")).unwrap();
    let spec = ModelSpec {
        backbone: "torchscript".into(),
        path: Some(at("net.pt").display().to_string()),
        image_size: Some(32),
        ..ModelSpec::default()
    };
    Model::new(&spec, &labels(2), 0, Device::Cpu).unwrap().save(&at("m.safetensors"), &Value::Null).unwrap();
    // This process has made a model on it.
    let (model, _) = Model::load(&at("m.safetensors"), Device::Cpu).unwrap();
    let x = Tensor::ones([1, 3, 32, 32], (Kind::Float, Device::Cpu));
    assert_eq!(model.forward(&x, false).unwrap().size(), [1, 2]);
    // Moved to a place that it has not named.
    std::fs::rename(at("net.pt"), at("moved.pt")).unwrap();
    let error = Model::load(&at("m.safetensors"), Device::Cpu).map(|_| ()).unwrap_err();
    assert!(error.message.contains("which a file of weights cannot name"), "{}", error.message);
    assert!(Model::load_on(&at("m.safetensors"), Beside::module(&at("moved.pt")), Device::Cpu).is_ok());
    let other = Model::load_on(&at("m.safetensors"), Beside::module(&module("scripted.pt")), Device::Cpu)
        .map(|_| ())
        .unwrap_err();
    assert!(other.message.contains("another TorchScript module"), "{}", other.message);
}
