//! Variables of the environment that make no sense.

use std::process::Command;

use crate::common::{CPSD, err};

#[test]
fn a_value_that_makes_no_sense_is_said_once_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let code = "let data = dataset(\"emoji-scenes\", #{train: 16, val: 4, test: 4, test_shifted: 1, size: 32}); \
                let o = #{model: #{backbone: \"small_cnn\", head: \"gap\", stages: 1, image_size: 32}, epochs: 1, batch: 8, threads: 1}; \
                train_teacher(data, [\"cat\"], o); train_teacher(data, [\"dog\"], o).labels";
    let output = Command::new(CPSD)
        .args(["eval", code])
        .envs([("CPSD_CLAIM_BEAT", "30s"), ("CPSD_CHECKPOINT_EVERY", "-1"), ("CPSD_CHECKPOINT_THREAD", "maybe")])
        .envs([("CPSD_DEVICE", "cpu"), ("CPSD_CLAIM_LIMIT", "")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = err(&output);
    assert!(output.status.success(), "{text}");
    for (name, must) in [
        ("CPSD_CLAIM_BEAT", "must be a number from 0.01 to 1000000; got \"30s\""),
        ("CPSD_CHECKPOINT_EVERY", "must be a number from 0 to 1000000000; got \"-1\""),
        ("CPSD_CHECKPOINT_THREAD", "must be 1 or 0; got \"maybe\""),
    ] {
        assert_eq!(text.matches(&format!("{name} {must}")).count(), 1, "{text}");
    }
    assert!(!text.contains("CPSD_CLAIM_LIMIT"), "{text}");
}
