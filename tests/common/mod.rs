//! Helpers that several test programs share.
// Each program uses a part of them.
#![allow(dead_code, unused_imports, unused_macros)]

pub mod hub;
pub mod pretended_gpu;
pub mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cpsd::script::session::Session;
use rhai::Dynamic;
use serde_json::Value;

/// The binary.
pub const CPSD: &str = env!("CARGO_BIN_EXE_cpsd");

/// The program under another name, where nothing of this repository, such as weights, lies beside it.
pub fn program_at(path: &Path) -> PathBuf {
    if !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::hard_link(CPSD, path).or_else(|_| std::fs::copy(CPSD, path).map(drop)).unwrap();
    }
    path.to_path_buf()
}

/// A script's data set, options and labels, small enough for a test.
pub const SMALL: &str =
    "let data = dataset(\"emoji-scenes\", #{train: 48, val: 16, test: 16, test_shifted: 8, size: 32});
let o = #{epochs: 2, batch: 16, views: 0, threads: 1, model: #{backbone: \"small_cnn\", image_size: 32}};
let some = [\"person\", \"dog\", \"car\"];
";

/// A path inside the repository.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A reference file of tests/goldens.
pub fn golden(path: &str) -> Value {
    let path = root("tests/goldens").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A file of the folder of data beside the repository. Tests that need one are skipped where the folder is absent.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = root("../shared/data");
    if !folder.is_dir() {
        println!("skipped: ../shared/data is absent");
        return None;
    }
    Some(folder.join(name))
}

/// The numbers of a JSON array.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// `n` names of labels.
pub fn labels(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("label {i}")).collect()
}

/// A session that shows no progress and keeps its runs in `runs`.
pub fn session(runs: &Path) -> Session {
    cpsd::activity::console::set_quiet(true);
    let session = cpsd::primitives::session();
    *session.host.runs.borrow_mut() = runs.to_path_buf();
    session
}

/// The value of `code`, which must not fail.
pub fn eval(session: &mut Session, code: &str) -> Dynamic {
    session.eval(code, "test").unwrap_or_else(|failure| panic!("{code}\n{}", failure.render(false, 100)))
}

/// What a process wrote to standard output.
pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a process wrote to standard error.
pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All files below `folder`, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// First line of a test that changes or measures what a whole process shares: the working folder, the stop flag of the
/// foreground, the number of libtorch's threads, the memory in use. The test then runs in a process of its own, also
/// under `cargo test`.
macro_rules! alone {
    () => {{
        fn here() {}
        if crate::common::ran_alone(std::any::type_name_of_val(&here)) {
            return;
        }
    }};
}
pub(crate) use alone;

/// `alone!` for a test that compares the bits of trainings: on the CPU, also where the other tests run on a GPU, whose sums have no
/// fixed order.
macro_rules! alone_on_the_cpu {
    () => {
        crate::common::alone!();
        cpsd::devices::choose(&["cpu".to_string()]).unwrap();
    };
}
pub(crate) use alone_on_the_cpu;

/// The environment of a process whose trainings are compared bit by bit.
pub const ON_THE_CPU: [(&str, &str); 1] = [("CPSD_DEVICE", "cpu")];

/// A tolerance of numbers that a training on the first device gives: ten times as much on a GPU, where convolutions round
/// their input to TF32.
pub fn tolerance(on_cpu: f64) -> f64 {
    if cpsd::devices::first().is_cuda() { 10.0 * on_cpu } else { on_cpu }
}

/// Runs the test that `here` is a function of in a new process, unless this process is there for it alone.
pub fn ran_alone(here: &str) -> bool {
    if std::env::var_os("NEXTEST").is_some() || std::env::var_os("CPSD_TEST_ALONE").is_some() {
        return false;
    }
    let (_, path) = here.split_once("::").unwrap();
    let test = path.strip_suffix("::here").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("CPSD_TEST_ALONE", "1")
        .output()
        .unwrap();
    print!("{}{}", out(&output), err(&output));
    assert!(output.status.success() && out(&output).contains("1 passed"), "{test} failed in its process");
    true
}
