//! The steps of augmentation on tensors, held to those on bytes, which the references of torchvision and of the package
//! randaugment are held to.
//!
//! On the CPU, and on a GPU where there is one. `CPSD_PHOTOS=FOLDER` adds 40 photographs of that folder.

use std::collections::BTreeMap;

use cpsd::images::randaugment::{self, LEVELS, Pixels};
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::images::{Fill, Operation, Picture, augment_tensors, randaugment_uda};
use tch::{Cuda, Device, Kind, Tensor};

/// Scenes, noise, a gradient, pictures of one and of two colours, and some that are hardly larger than a kernel.
fn pictures() -> Vec<Picture> {
    let options = SceneOptions { train: 4, val: 1, test: 1, test_shifted: 1, size: 64, ..SceneOptions::default() };
    let scenes = splits(&options).unwrap().remove(0).1;
    let mut pictures: Vec<Picture> = (0..4).map(|i| scenes.picture(i).unwrap().resize(37, 26).unwrap()).collect();
    let mut add = |width: u32, height: u32, byte: fn(usize) -> usize| {
        let rgb = (0..(width * height * 3) as usize).map(|i| byte(i) as u8).collect();
        pictures.push(Picture::new(width, height, rgb).unwrap());
    };
    add(24, 31, |i| (i * 2_654_435_761) >> 7);
    add(40, 20, |i| i / 12 + 20);
    add(20, 20, |_| 93);
    add(20, 20, |i| if i % 5 == 0 { 200 } else { 60 });
    add(3, 3, |i| i * 40);
    add(2, 5, |i| i * 40);
    add(1, 1, |i| i * 40);
    if let Ok(folder) = std::env::var("CPSD_PHOTOS") {
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort_unstable();
        let step = (paths.len() / 40).max(1);
        pictures.extend(paths.iter().step_by(step).map(|p| Picture::open(p).unwrap().resize(96, 80).unwrap()));
    }
    pictures
}

/// Every operation at every strength in both directions, by name.
fn operations(width: usize, height: usize) -> Vec<(String, Operation)> {
    let mut all = vec![];
    for level in 0..LEVELS {
        for negative in [false, true] {
            for index in 0..14 {
                let op = randaugment::op(index, level, negative, width, height);
                all.push((format!("torchvision {index}"), Operation::Torchvision(op)));
            }
        }
    }
    for level in 1..=randaugment_uda::STRONGEST {
        for negative in [false, true] {
            for (index, name) in randaugment_uda::OPERATIONS.iter().enumerate() {
                let centre = (level * 5 % width, level * 3 % height);
                let op = randaugment_uda::op(index, level, negative, centre);
                all.push((format!("uda {name}"), Operation::Pillow(op)));
            }
        }
    }
    // Colour jitter's factors are any numbers.
    for factor in [0.0, 0.137, 0.71, 1.0, 1.293, 1.9, 3.0] {
        use randaugment_uda::Op::{Brightness, Color, Contrast};
        for op in [Brightness(factor), Contrast(factor), Color(factor)] {
            all.push(("jitter".into(), Operation::Pillow(op)));
        }
    }
    for (x, half) in [(0, 0), (0, 3), (width / 2, 4), (width - 1, 2), (width - 1, 100)] {
        let fill = Fill::around((x, height / 2), half, x % 2, width, height, [3, 255, 0]);
        all.push(("cutout".into(), Operation::Fill(fill)));
    }
    all.push(("nothing".into(), Operation::Nothing));
    all
}

fn on_bytes(picture: &Picture, operations: &[Operation]) -> Vec<u8> {
    let mut rgb = picture.rgb.clone();
    let (width, height) = (picture.width as usize, picture.height as usize);
    for operation in operations {
        operation.apply(&mut Pixels { rgb: &mut rgb, width, height });
    }
    rgb
}

/// The picture once per list of operations.
fn on_tensors(picture: &Picture, lists: &[Vec<Operation>], device: Device) -> Vec<Vec<u8>> {
    let shape = [1, i64::from(picture.height), i64::from(picture.width), 3];
    let one = Tensor::from_slice(&picture.rgb).reshape(shape);
    let batch = one.repeat([lists.len() as i64, 1, 1, 1]).to_device(device);
    let done = augment_tensors::apply(batch, lists).unwrap();
    assert_eq!((done.kind(), done.device()), (Kind::Uint8, device));
    let bytes = Vec::<u8>::try_from(&done.to_device(Device::Cpu).reshape([-1])).unwrap();
    bytes.chunks_exact(picture.rgb.len()).map(<[u8]>::to_vec).collect()
}

/// A step may differ by one level where a device does not round a quotient or a product as the CPU does.
fn check(expected: &[u8], came: &[u8], device: Device, name: &str) {
    let most = if device == Device::Cpu { 0 } else { 1 };
    let worst = expected.iter().zip(came).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= most, "{name} on {device:?}: a difference of {worst}");
    let other = expected.iter().zip(came).filter(|(a, b)| a != b).count();
    assert!(other * 100 <= expected.len(), "{name} on {device:?}: {other} of {} bytes differ", expected.len());
}

fn devices() -> Vec<Device> {
    if Cuda::is_available() { vec![Device::Cpu, Device::Cuda(0)] } else { vec![Device::Cpu] }
}

#[test]
fn every_step_at_every_strength_is_that_on_bytes() {
    let mut changed: BTreeMap<String, usize> = BTreeMap::new();
    for picture in pictures() {
        let operations = operations(picture.width as usize, picture.height as usize);
        let lists: Vec<Vec<Operation>> = operations.iter().map(|(_, operation)| vec![*operation]).collect();
        for device in devices() {
            for ((name, operation), came) in operations.iter().zip(on_tensors(&picture, &lists, device)) {
                let expected = on_bytes(&picture, &[*operation]);
                check(&expected, &came, device, &format!("{name}: {operation:?}"));
                *changed.entry(name.clone()).or_default() += usize::from(expected != picture.rgb);
            }
        }
    }
    // A step that changes nothing would test nothing.
    let idle: Vec<&String> = changed.iter().filter(|(_, n)| **n == 0).map(|(name, _)| name).collect();
    assert_eq!(idle, ["nothing", "torchvision 0"]);
}

#[test]
fn lists_of_steps_are_applied_in_their_order() {
    let picture = &pictures()[1];
    let all: Vec<Operation> = operations(picture.width as usize, picture.height as usize)
        .into_iter()
        .map(|(_, operation)| operation)
        .collect();
    // Lists of up to four steps, of all lengths side by side.
    let lists: Vec<Vec<Operation>> =
        (0..300).map(|i| (0..i % 5).map(|k| all[(i * 37 + k * 211) % all.len()]).collect()).collect();
    for (i, came) in on_tensors(picture, &lists, Device::Cpu).into_iter().enumerate() {
        assert_eq!(came, on_bytes(picture, &lists[i]), "{:?}", lists[i]);
    }
}
