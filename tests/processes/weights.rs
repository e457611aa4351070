//! Weights by name through the whole program: a script's permission, the question at the prompt, what a run keeps.

use std::path::Path;
use std::process::{Command, Output};

use cpsd::models::{Model, ModelSpec};
use rexpect::session::spawn_command;
use serde_json::{Value, json};
use tch::Device;

use crate::common::hub::{COMMIT, FakeHub};
use crate::common::{SMALL, err, out, program_at};

const REPOSITORY: &str = "timm/tf_efficientnet_lite0.in1k";
const FORM: &str = "head: \"gap\", stages: 1, image_size: 32";

/// The first stage of a backbone as a file of weights: 10 kB.
fn content(folder: &Path) -> Vec<u8> {
    let spec = ModelSpec {
        backbone: "efficientnet_lite0".into(),
        stages: Some(1),
        image_size: Some(32),
        ..ModelSpec::default()
    };
    let file = folder.join("made.safetensors");
    Model::new(&spec, &["dog".to_string()], 7, Device::Cpu).unwrap().save(&file, &json!({})).unwrap();
    std::fs::read(file).unwrap()
}

/// The program away from the weights of this repository.
fn program(folder: &Path) -> String {
    program_at(&folder.join("program/cpsd")).display().to_string()
}

/// The program in a folder of its own, with this server for the Hub.
fn command(program: &str, folder: &Path, server: &FakeHub) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("HF_ENDPOINT", &server.address)
        .env("HF_HOME", folder.join("huggingface"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("CPSD_HISTORY", folder.join("history"))
        .env("CPSD_STARTUP", folder.join("startup.rhai"))
        .env("NO_PROXY", "127.0.0.1")
        .env("NO_COLOR", "1");
    for name in
        ["CPSD_WEIGHTS", "CPSD_DOWNLOAD", "CPSD_RUNS", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE"]
    {
        command.env_remove(name);
    }
    command
}

fn eval(folder: &Path, server: &FakeHub, code: &str, variables: &[(&str, &Path)]) -> Output {
    command(&program(folder), folder, server).args(["eval", code]).envs(variables.iter().copied()).output().unwrap()
}

/// The id of a training from published weights.
fn trained(folder: &Path, server: &FakeHub, options: &str, variables: &[(&str, &Path)]) -> String {
    let code = format!(
        "{SMALL}
        let m = #{{ backbone: \"efficientnet_lite0\", {FORM}, weights: \"imagenet\"{options} }};
        print(train_teacher(data, some, o + #{{ epochs: 1, model: m }}).id);"
    );
    let output = eval(folder, server, &code, variables);
    assert!(output.status.success(), "{}", err(&output));
    out(&output).trim().to_string()
}

#[test]
fn a_script_downloads_with_permission_and_its_run_keeps_the_revision() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let content = content(f);
    let server = FakeHub::start(content.clone());
    let code = format!("model(\"efficientnet_lite0\", #{{ labels: [\"dog\"], weights: \"imagenet\", {FORM} }}).id");
    let refused = eval(f, &server, &code, &[]);
    assert_eq!(refused.status.code(), Some(1));
    let said = err(&refused).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert!(said.contains("the weights \"imagenet\" of efficientnet_lite0 are not here"), "{said}");
    assert!(said.contains("CPSD_DOWNLOAD=1") && said.contains(REPOSITORY), "{said}");
    assert!(server.requests().is_empty());
    let cached = f.join("huggingface/hub/models--timm--tf_efficientnet_lite0.in1k/snapshots").join(COMMIT);
    assert!(!cached.exists());

    let id = trained(f, &server, ", download: true", &[]);
    assert!(cached.join("model.safetensors").is_file());
    let spec = |runs: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(runs.join(&id).join("spec.json")).unwrap()).unwrap()
    };
    let kept = spec(&f.join("runs"));
    assert_eq!(
        kept["weights_from"],
        json!({ "repository": REPOSITORY, "revision": COMMIT, "file": "model.safetensors" })
    );
    assert!(kept["options"]["model"].get("download").is_none(), "{kept}");

    // The same weights in a folder make the same run; where they are from is not known.
    let (weights, other) = (f.join("own"), f.join("other"));
    std::fs::create_dir(&weights).unwrap();
    std::fs::write(weights.join("efficientnet_lite0.safetensors"), content).unwrap();
    let requests = server.requests().len();
    assert_eq!(trained(f, &server, "", &[("CPSD_WEIGHTS", &weights), ("CPSD_RUNS", &other)]), id);
    assert!(spec(&other).get("weights_from").is_none());
    // From the cache, without permission.
    assert_eq!(trained(f, &server, "", &[]), id);
    assert_eq!(server.requests().len(), requests);
}

#[test]
fn the_prompt_asks_before_it_downloads() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let server = FakeHub::start(content(f));
    let mut command = command("sh", f, &server);
    command.args(["-c", &format!("stty rows 24 cols 200; exec {}", program(f))]).env("TERM", "xterm-256color");
    let mut p = spawn_command(command, Some(120_000)).unwrap();
    p.exp_string("cpsd> ").unwrap();
    let make = format!("model(\"efficientnet_lite0\", #{{ labels: [\"dog\"], weights: \"imagenet\", {FORM} }}).labels");
    p.send_line(&make).unwrap();
    p.exp_string("the weights \"imagenet\" of efficientnet_lite0 are not on this machine").unwrap();
    p.exp_string(&format!("download {REPOSITORY} (model.safetensors, 1 MB, revision {COMMIT}) from")).unwrap();
    p.exp_string("y/n> ").unwrap();
    p.send_line("perhaps").unwrap();
    p.exp_string("y/n> ").unwrap();
    p.send_line("n").unwrap();
    p.exp_string("are not here").unwrap();
    p.exp_string("cpsd> ").unwrap();
    assert!(server.requests().iter().all(|r| !r.starts_with("/content") || r.contains("bytes=0-0")));
    p.send_line(&make).unwrap();
    p.exp_string("y/n> ").unwrap();
    p.send_line("y").unwrap();
    p.exp_string("[\"dog\"]").unwrap();
    p.exp_string("cpsd> ").unwrap();
    p.send_line(":quit").unwrap();
    p.exp_eof().unwrap();
}
