//! Event files of a training, read back by the real tensorboard package (setup/tensorboard.sh brings it).

use std::process::Command;

use serde_json::Value;

use crate::common::{eval, root, session};

const READER: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})
events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}))
";

#[test]
fn tensorboard_reads_what_a_training_wrote() {
    let python = root("target/python/bin/python");
    if !python.exists() {
        eprintln!("skipped: target/python is absent (setup/tensorboard.sh makes it)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let code = "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 1, test_shifted: 1, size: 32});
        train_teacher(data, [\"person\", \"dog\"], #{epochs: 3, batch: 16, threads: 1, eval_every: 2, model: #{backbone: \"small_cnn\", image_size: 32}}).id";
    let id = eval(&mut session(folder.path()), code).into_string().unwrap();
    let run = folder.path().join(id);
    let read = Command::new(python).args(["-c", READER]).arg(&run).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let scalars: Value = serde_json::from_slice(&read.stdout).unwrap();
    let lines: Vec<Value> = std::fs::read_to_string(run.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    for tag in ["loss", "lr", "val_mAP"] {
        let expected: Vec<(i64, f64)> =
            lines.iter().filter_map(|l| Some((l["epoch"].as_i64()?, l[tag].as_f64()?))).collect();
        let came = scalars[tag].as_array().unwrap_or_else(|| panic!("no {tag} in {scalars}"));
        assert_eq!(came.len(), expected.len(), "{tag}");
        for (came, (epoch, value)) in came.iter().zip(expected) {
            assert_eq!(came[0].as_i64().unwrap(), epoch, "{tag}");
            assert!(
                (came[1].as_f64().unwrap() - value).abs() <= 1e-6 * value.abs(),
                "{tag}: {came} instead of {value}"
            );
        }
    }
}
