//! Published weights by name: the places where they are looked for, and downloads from a server on the loopback.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cpsd::activity::Activity;
use cpsd::error::{Error, ErrorKind};
use cpsd::models::backbones::{self, BACKBONES, BackboneKind};
use cpsd::models::weights::{Hub, Places};

use crate::common::files;
use crate::common::hub::{Answers, COMMIT, FakeHub};

const REPOSITORY: &str = "timm/resnet101.tv_in1k";

fn resnet101() -> &'static BackboneKind {
    backbones::find("resnet101").unwrap()
}

/// Half a megabyte that is different everywhere and backwards.
fn content() -> Vec<u8> {
    (0..500_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// `weights/` and the Hub's cache `hub/` in a folder, and this server.
fn places(folder: &Path, endpoint: &str) -> Places {
    Places {
        folders: vec![folder.join("weights")],
        hub: Hub {
            cache: Some(folder.join("hub")),
            endpoint: endpoint.to_string(),
            offline: false,
            token: None,
            patience: Duration::from_secs(20),
            retries: 1,
        },
        download: false,
    }
}

fn repository(folder: &Path) -> PathBuf {
    folder.join("hub/models--timm--resnet101.tv_in1k")
}

fn help(error: &Error) -> &str {
    error.help.as_deref().unwrap_or_default()
}

/// Nothing of the file is to be seen, neither for cpsd nor for the Python library.
fn assert_nothing_came(folder: &Path, places: &Places) {
    let hub = folder.join("hub");
    let there = if hub.exists() { files(&hub) } else { vec![] };
    assert!(there.is_empty(), "{there:?}");
    assert!(places.find(resnet101(), "imagenet", false).is_err());
}

#[test]
fn a_download_lies_where_the_python_library_looks_and_is_found_without_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeHub::start(content());
    let places = places(folder.path(), &server.address);
    let found = places.find(resnet101(), "imagenet", true).unwrap();
    let repository = repository(folder.path());
    assert_eq!(found.path, repository.join("snapshots").join(COMMIT).join("model.safetensors"));
    assert_eq!(std::fs::read(&found.path).unwrap(), content());
    let origin = found.origin.unwrap();
    assert_eq!((origin.repository.as_str(), origin.revision.as_str()), (REPOSITORY, COMMIT));
    // huggingface_hub: blobs/ETAG, refs/main with the commit and nothing else, a relative link in snapshots/COMMIT.
    assert_eq!(std::fs::read_to_string(repository.join("refs/main")).unwrap(), COMMIT);
    let link = std::fs::read_link(&found.path).unwrap();
    assert_eq!(link, Path::new("../../blobs").join(server.etag()));
    assert_eq!(
        files(&repository),
        [repository.join("blobs").join(server.etag()), repository.join("refs/main"), found.path.clone()]
    );
    let requests = server.requests();
    assert!(
        requests.iter().any(|r| r.starts_with("/timm/resnet101.tv_in1k/resolve/main/model.safetensors ")),
        "{requests:?}"
    );
    // From the cache: no permission is needed, nor a server.
    let again = places.find(resnet101(), "imagenet", false).unwrap();
    assert_eq!((again.path, again.origin.unwrap().revision.as_str()), (found.path, COMMIT));
    assert_eq!(server.requests().len(), requests.len());
    let offline = Places { hub: Hub { offline: true, ..places.hub.clone() }, ..places.clone() };
    assert!(offline.find(resnet101(), "imagenet", false).is_ok());
}

#[test]
fn without_permission_nothing_is_asked_for_and_the_error_says_how_to_give_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeHub::start(content());
    let places = places(folder.path(), &server.address);
    let error = places.find(resnet101(), "imagenet", false).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Io);
    assert_eq!(error.message, "the weights \"imagenet\" of resnet101 are not here: no file weights/resnet101.pth");
    let start = format!(
        "download: true beside weights, or CPSD_DOWNLOAD=1, brings timm/resnet101.tv_in1k (model.safetensors, about 170 MB) from {}; \
         by hand: get it from https://download.pytorch.org/models/resnet101-63fe2227.pth",
        server.address
    );
    assert!(help(&error).starts_with(&start), "{}", help(&error));
    // Forbidden, whatever permits it.
    let offline = Places { hub: Hub { offline: true, ..places.hub.clone() }, download: true, ..places.clone() };
    let error = offline.find(resnet101(), "imagenet", true).unwrap_err();
    assert!(help(&error).starts_with("HF_HUB_OFFLINE forbids downloads; by hand: "), "{}", help(&error));
    assert!(server.requests().is_empty(), "{:?}", server.requests());
    // The environment's permission is one too.
    let permitted = Places { download: true, ..places };
    assert!(permitted.find(resnet101(), "imagenet", false).is_ok());
}

#[test]
fn a_server_that_is_gone_or_refuses_leaves_the_way_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeHub::start(content());
    let places = places(folder.path(), &server.address);
    for (status, said) in [
        (404, "has no such revision or file (status 404)"),
        (401, "refuses it (status 401); HF_TOKEN"),
        (500, "answers with status 500"),
    ] {
        server.answers(Answers::Status(status));
        let error = places.find(resnet101(), "imagenet", true).unwrap_err();
        let begin = format!("the weights \"imagenet\" of resnet101 could not be downloaded: {} {said}", server.address);
        assert!(error.message.starts_with(&begin), "{}", error.message);
    }
    let address = server.address.clone();
    drop(server);
    let error = places.find(resnet101(), "imagenet", true).unwrap_err();
    let begin = format!("the weights \"imagenet\" of resnet101 could not be downloaded: {address}: ");
    assert!(error.kind == ErrorKind::Io && error.message.starts_with(&begin), "{}", error.message);
    for part in
        ["resnet101-63fe2227.pth", "resnet101.tv_in1k.safetensors", "weights/ here", "CPSD_WEIGHTS", "cpsd/weights"]
    {
        assert!(help(&error).contains(part), "{part} is not in: {}", help(&error));
    }
    assert_nothing_came(folder.path(), &places);
}

#[test]
fn half_a_file_or_another_one_is_never_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeHub::start(content());
    let mut places = places(folder.path(), &server.address);
    places.hub.retries = 0;
    server.answers(Answers::Half);
    let error = places.find(resnet101(), "imagenet", true).unwrap_err();
    assert!(error.kind == ErrorKind::Io && error.message.contains("could not be downloaded"), "{}", error.message);
    assert_nothing_came(folder.path(), &places);
    server.answers(Answers::Other);
    let error = places.find(resnet101(), "imagenet", true).unwrap_err();
    assert!(error.message.contains("SHA-256") && error.message.contains(&server.etag()[..12]), "{}", error.message);
    assert_nothing_came(folder.path(), &places);
    server.answers(Answers::Endless);
    let error = places.find(resnet101(), "imagenet", true).unwrap_err();
    assert!(error.message.contains("sends more than the"), "{}", error.message);
    assert_nothing_came(folder.path(), &places);
    // A connection that breaks once: the download goes on where it broke.
    places.hub.retries = 1;
    server.answers(Answers::HalfOnce);
    let before = server.requests().len();
    let found = places.find(resnet101(), "imagenet", true).unwrap();
    assert_eq!(std::fs::read(found.path).unwrap(), content());
    let ranges: Vec<String> = server.requests()[before..].to_vec();
    let resumed = ranges.iter().filter_map(|r| r.split_once("bytes=")).any(|(_, r)| !r.starts_with("0-"));
    assert!(resumed, "{ranges:?}");
}

#[test]
fn a_silent_server_and_a_stop_end_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeHub::start(content());
    let mut places = places(folder.path(), &server.address);
    server.answers(Answers::Nothing);
    places.hub.patience = Duration::from_secs(1);
    let error = places.find(resnet101(), "imagenet", true).unwrap_err();
    assert!(error.message.ends_with("was silent for 1 s"), "{}", error.message);
    places.hub.patience = Duration::from_secs(60);
    let (job, began) = (Activity::background("[1]".into(), None), Instant::now());
    let stopper = job.clone();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stopper.stop();
    });
    let error = job.enter(|| places.find(resnet101(), "imagenet", true)).unwrap_err();
    assert!(error.kind == ErrorKind::Interrupted && began.elapsed() < Duration::from_secs(20));
    stopping.join().unwrap();
    assert!(!repository(folder.path()).join("snapshots").exists());
}

#[test]
fn a_revision_is_taken_from_the_hub_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeHub::start(content());
    let mut places = places(folder.path(), &server.address);
    places.hub.token = Some("secret".into());
    std::fs::create_dir(folder.path().join("weights")).unwrap();
    std::fs::write(folder.path().join("weights/resnet101.pth"), b"of unknown origin").unwrap();
    let commit = format!("imagenet@{COMMIT}");
    let error = places.find(resnet101(), &commit, false).unwrap_err();
    assert_eq!(error.message, format!("the weights \"imagenet\" of resnet101 are not here at revision {COMMIT}"));
    assert!(help(&error).contains(&format!("{REPOSITORY}/resolve/{COMMIT}/model.safetensors")), "{}", help(&error));
    let found = places.find(resnet101(), &commit, true).unwrap();
    assert_eq!(found.origin.unwrap().revision, COMMIT);
    let requests = server.requests();
    assert!(requests[0].starts_with(&format!("/{REPOSITORY}/resolve/{COMMIT}/model.safetensors ")), "{requests:?}");
    assert!(requests[0].ends_with(" Bearer secret"), "{requests:?}");
    // As with the Python library, a commit gets no name. A tag does.
    assert!(!repository(folder.path()).join("refs").exists());
    places.find(resnet101(), "imagenet@v1.0", true).unwrap();
    assert_eq!(std::fs::read_to_string(repository(folder.path()).join("refs/v1.0")).unwrap(), COMMIT);
    let before = server.requests().len();
    places.find(resnet101(), "imagenet@v1.0", false).unwrap();
    assert_eq!(server.requests().len(), before);
    let error = places.find(resnet101(), "imagenet@../../x", true).unwrap_err();
    assert!(error.message.contains("\"../../x\" is not a commit, branch or tag"), "{}", error.message);
}

#[test]
fn folders_come_first_and_other_sets_that_are_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut places = places(folder.path(), "http://127.0.0.1:9");
    let (first, second) = (folder.path().join("first"), folder.path().join("weights"));
    places.folders.insert(0, first.clone());
    std::fs::create_dir_all(&first).unwrap();
    std::fs::create_dir_all(&second).unwrap();
    let kind = backbones::find("resnext50_32x4d").unwrap();
    let swsl = second.join("semi_weakly_supervised_resnext50_32x4-72679e44.pth");
    std::fs::write(&swsl, b"x").unwrap();
    let error = places.find(kind, "imagenet", false).unwrap_err();
    assert!(help(&error).contains("; weights: \"swsl\" is here; looked in, "), "{}", help(&error));
    assert_eq!(places.find(kind, "swsl", false).unwrap().path, swsl);
    // As the Hub's file is named after its repository.
    let named = second.join("resnext50_32x4d.tv_in1k.safetensors");
    std::fs::write(&named, b"x").unwrap();
    assert_eq!(places.find(kind, "imagenet", false).unwrap().path, named);
    let own = first.join("resnext50_32x4d-1a0047aa.pth");
    std::fs::write(&own, b"x").unwrap();
    let found = places.find(kind, "imagenet", true).unwrap();
    assert!(found.path == own && found.origin.is_none());
    // A folder of that name is no file of weights.
    std::fs::create_dir(first.join("resnext50_32x4d.pth")).unwrap();
    assert_eq!(places.find(kind, "imagenet", false).unwrap().path, own);
}

#[test]
fn a_name_that_is_no_set_is_a_path_or_an_error_with_the_sets() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), "http://127.0.0.1:9");
    let kind = backbones::find("resnext50_32x4d").unwrap();
    let error = places.find(kind, "imagnet", true).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Argument, "unknown weights \"imagnet\" of resnext50_32x4d")
    );
    assert_eq!(
        help(&error),
        "did you mean \"imagenet\"? its sets of weights are \"imagenet\", \"swsl\", \"ssl\"; \
         a path to a .safetensors, .pth, .pt, .ckpt, .bin, .pkl or .pth.tar file is taken too"
    );
    for path in ["here.pth", "some/where", "a@b.pth"] {
        assert_eq!(places.find(kind, path, true).unwrap().path, Path::new(path));
    }
    let error = places.find(backbones::find("small_cnn").unwrap(), "imagenet", true).unwrap_err();
    assert_eq!(error.message, "backbone \"small_cnn\" has no published weights; got \"imagenet\"");
    assert!(help(&error).contains("leave \"weights\" out"), "{}", help(&error));
}

#[test]
fn the_sets_of_every_backbone_say_what_to_get_and_where_to_put_it() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), "http://127.0.0.1:9");
    for kind in BACKBONES {
        for (i, set) in kind.weights.sets.iter().enumerate() {
            assert!(kind.weights.sets[..i].iter().all(|other| other.name != set.name), "{} twice", set.name);
            assert!(set.source.contains("https://") || set.source.contains("Python package"), "{}", kind.name);
            assert!(!set.name.contains(['@', '/', '.']) && !set.files.is_empty(), "{} of {}", set.name, kind.name);
            assert!(set.hub.is_none_or(|hub| hub.split('/').count() == 2), "{:?}", set.hub);
            // No file of one set is taken for another.
            let others = kind.weights.sets.iter().filter(|other| other.name != set.name);
            assert!(others.flat_map(|other| other.files).all(|file| !set.files.contains(file)), "{}", kind.name);
            let error = places.find(kind, set.name, false).unwrap_err();
            let (message, help) = (&error.message, help(&error));
            assert!(message.contains(kind.name) && message.contains(&format!("weights/{}", set.files[0])), "{message}");
            assert!(help.contains("CPSD_WEIGHTS") && help.contains(set.source), "{help}");
            assert_eq!(help.contains("CPSD_DOWNLOAD=1"), set.hub.is_some(), "{help}");
        }
    }
}
