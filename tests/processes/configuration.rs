//! Settings as a user meets them: files, variables, options and the prompt, from several folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cpsd::configuration::SETTINGS;

use crate::common::{err, files, out, program_at, root};

/// A home with a configuration folder, a project with a subfolder, and a folder elsewhere.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for folder in ["home/.config/cpsd", "project/sub", "other"] {
            std::fs::create_dir_all(place.at(folder)).unwrap();
        }
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        std::fs::canonicalize(self.0.path()).unwrap().join(path)
    }

    fn path(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.at(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    fn program(&self, program: &Path, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let home = self.at("home");
        command.args(arguments).current_dir(self.at(folder)).env("HOME", &home).env("NO_COLOR", "1");
        for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME", "HF_HUB_CACHE"] {
            command.env_remove(name);
        }
        for setting in SETTINGS {
            command.env_remove(setting.variable);
        }
        command
    }

    fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        // Where the weights of this repository are not beside it.
        self.program(&program_at(&self.at("program/cpsd")), folder, arguments)
    }

    fn run(&self, folder: &str, arguments: &[&str]) -> Output {
        self.command(folder, arguments).output().unwrap()
    }

    /// The value of a setting in that folder.
    fn get(&self, folder: &str, key: &str) -> String {
        let output = self.run(folder, &["config", "get", key]);
        assert!(output.status.success(), "{}", err(&output));
        out(&output).trim_end().to_string()
    }
}

/// One line of `cpsd config`, its blanks made one.
fn line(listed: &str, key: &str) -> String {
    let line = listed.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap_or_default();
    line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

/// A failure's text with its lines joined.
fn said(output: &Output) -> String {
    let text = err(output).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    // A long path goes on in the next line.
    text.replace("/ ", "/")
}

#[test]
fn the_first_source_counts_and_the_list_says_which_it_is() {
    let place = Place::new();
    let listed = |command: &mut Command, key: &str| line(&out(&command.output().unwrap()), key);
    let config = || place.command("project/sub", &["config"]);
    assert_eq!(listed(&mut config(), "runs"), "runs in the working folder default");
    place.write("home/.config/cpsd/cpsd.toml", "runs = \"~/runs\"\nthreads = 1\n");
    assert_eq!(listed(&mut config(), "runs"), format!("{} ~/.config/cpsd/cpsd.toml:1", place.path("home/runs")));
    place.write("project/cpsd.toml", "# The project.\nruns = \"runs\"\n");
    let of_project = format!("{0}/runs {0}/cpsd.toml:2", place.path("project"));
    assert_eq!(listed(&mut config(), "runs"), of_project);
    assert_eq!(
        listed(&mut place.command("project", &["config"]), "runs"),
        format!("{}/runs cpsd.toml:2", place.path("project"))
    );
    assert_eq!(listed(&mut config(), "threads"), "1 ~/.config/cpsd/cpsd.toml:2");
    assert_eq!(listed(config().env("CPSD_RUNS", "/v"), "runs"), "/v environment CPSD_RUNS");
    let mut option = place.command("project/sub", &["--runs", "/o", "config"]);
    assert_eq!(listed(option.env("CPSD_RUNS", "/v"), "runs"), "/o --runs");
    // Another configuration folder.
    std::fs::create_dir_all(place.at("xdg/cpsd")).unwrap();
    place.write("xdg/cpsd/cpsd.toml", "device = \"cpu\"\n");
    let mut other = place.command("other", &["config"]);
    assert_eq!(
        listed(other.env("XDG_CONFIG_HOME", place.at("xdg")), "device"),
        format!("cpu {}:1", place.path("xdg/cpsd/cpsd.toml"))
    );
}

#[test]
fn runs_are_kept_where_the_project_says_from_every_folder() {
    let place = Place::new();
    place.write("project/cpsd.toml", "runs = \"kept\"\ndevice = \"cpu\"\nlibraries = \"lib\"\n");
    std::fs::create_dir(place.at("project/lib")).unwrap();
    place.write("project/lib/mine.rhai", "fn one() { 41 + 1 }");
    let train = format!("{}print(train_teacher(data, some, o + #{{epochs: 1}}).id);", crate::common::SMALL);
    place.write("project/sub/s.rhai", &format!("import \"mine\" as mine; print(mine::one()); {train}"));
    // The script's folder decides, not the working folder.
    let script = place.path("project/sub/s.rhai");
    let first = place.run("other", &["script", &script]);
    assert!(first.status.success(), "{}", err(&first));
    let id = out(&first).lines().nth(1).unwrap().to_string();
    assert!(out(&first).starts_with("42\n") && place.at("project/kept").join(&id).is_dir(), "{}", out(&first));
    // Also behind a link to it.
    std::os::unix::fs::symlink(&script, place.at("other/link.rhai")).unwrap();
    let linked = place.run("other", &["script", "link.rhai"]);
    assert!(out(&linked).ends_with(&format!("{id}\n")), "{}{}", out(&linked), err(&linked));
    // Without a script the working folder decides.
    assert!(out(&place.run("project/sub", &["runs"])).contains(&id));
    assert!(!out(&place.run("other", &["runs"])).contains(&id));
    assert!(!place.at("other/runs").join(&id).exists() && !place.at("project/sub/runs").exists());
}

#[test]
fn a_mistake_has_its_line_and_stops_what_would_run() {
    let place = Place::new();
    place.write("project/cpsd.toml", "threads = 1\nwieghts = \"w\"\n");
    let failed = place.run("project/sub", &["eval", "1"]);
    assert_eq!((failed.status.code(), out(&failed).as_str()), (Some(1), ""));
    assert!(said(&failed).contains("cpsd.toml: line 2: unknown setting \"wieghts\""), "{}", said(&failed));
    assert!(said(&failed).contains("did you mean \"weights\"?"), "{}", said(&failed));
    // What shows settings goes on, and says it; those that are shown lack the file's.
    for (arguments, code) in
        [(&["config"][..], 1), (&["config", "get", "runs"], 1), (&["--version"], 0), (&["doc", "merge"], 0)]
    {
        let shown = place.run("project", arguments);
        assert_eq!(shown.status.code(), Some(code), "{arguments:?}");
        assert!(!out(&shown).is_empty() && err(&shown).contains("wieghts"), "{arguments:?}: {}", err(&shown));
    }
    let unknown = place.run("other", &["config", "get", "devcie"]);
    assert!(
        unknown.status.code() == Some(1) && said(&unknown).contains("did you mean \"device\"?"),
        "{}",
        said(&unknown)
    );
    place.write("project/cpsd.toml", "device = \"cuda:77\"\n");
    let failed = place.run("project", &["eval", "1"]);
    assert!(
        failed.status.code() == Some(1) && said(&failed).contains("cpsd.toml:1: there is no device \"cuda:77\""),
        "{}",
        said(&failed)
    );
}

#[test]
fn config_writes_files_and_keeps_what_is_in_them() {
    let place = Place::new();
    let text = "# Birds.\nruns = \"runs\" # kept\n\n[slurm]\npartition = \"gpu\" # the fast one\n";
    place.write("project/cpsd.toml", text);
    let done = |folder: &str, arguments: &[&str]| {
        let output = place.run(folder, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", err(&output));
        out(&output)
    };
    let said_so = done("project/sub", &["config", "set", "weights", "w", "/data/w"]);
    assert!(said_so.starts_with("weights = ") && said_so.trim_end().ends_with("cpsd.toml:3"), "{said_so}");
    assert_eq!(place.read("project/cpsd.toml"), text.replace("kept\n", "kept\nweights = [\"sub/w\", \"/data/w\"]\n"));
    assert_eq!(place.get("project", "weights"), format!("{}\n/data/w", place.path("project/sub/w")));
    done("project/sub", &["config", "unset", "weights"]);
    assert_eq!(place.read("project/cpsd.toml"), text);
    // Where there is no project it is the user's, which the project goes before.
    done("other", &["config", "set", "threads", "2"]);
    assert_eq!(place.read("home/.config/cpsd/cpsd.toml"), "threads = 2\n");
    let shadowed = done("project", &["config", "set", "runs", "/elsewhere", "--user"]);
    assert!(shadowed.contains("cpsd.toml:2 goes before it"), "{shadowed}");
    done("other", &["config", "set", "--project", "device", "cpu"]);
    assert_eq!(place.read("other/cpsd.toml"), "device = \"cpu\"\n");
    // What a person has is never the project's.
    done("project", &["config", "set", "startup", "~/s.rhai"]);
    assert!(place.read("home/.config/cpsd/cpsd.toml").contains("startup = "));
    for (arguments, must) in [
        (&["config", "set", "threads", "two"][..], "threads must be a whole number from 1 to 1024; got \"two\""),
        (&["config", "set", "runs", "/etc", "--project"], "the run store of a project lies in its folder"),
        (&["config", "set", "startup", "s.rhai", "--project"], "startup is not a project's to say"),
    ] {
        let before = place.read("project/cpsd.toml");
        let output = place.run("project", arguments);
        assert!(output.status.code() == Some(1) && said(&output).contains(must), "{}", said(&output));
        assert_eq!(place.read("project/cpsd.toml"), before);
    }
}

#[test]
fn a_default_is_printed_as_the_value_that_it_is() {
    let place = Place::new();
    assert_eq!(place.get("other", "runs"), place.path("other/runs"));
    assert_eq!(place.get("other", "history"), place.path("home/.local/share/cpsd/history"));
    assert_eq!(place.get("other", "startup"), place.path("home/.config/cpsd/startup.rhai"));
    assert!(place.get("other", "threads").parse::<usize>().unwrap() > 0);
    assert_eq!((place.get("other", "libraries"), place.get("other", "download")), (String::new(), "false".into()));
}

#[test]
fn those_who_set_at_once_lose_nothing() {
    let place = Place::new();
    place.write("project/cpsd.toml", "# Birds.\r\n");
    let words =
        [("runs", "r"), ("weights", "w"), ("data", "d"), ("threads", "2"), ("download", "true"), ("device", "cpu")];
    let children: Vec<_> = words
        .iter()
        .map(|(key, value)| {
            place.command("project", &["config", "set", key, value]).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let text = place.read("project/cpsd.toml");
    assert!(text.starts_with("# Birds.\r\n") && text.lines().count() == 1 + words.len(), "{text:?}");
    assert!(
        words.iter().all(|(key, _)| text.contains(&format!("{key} = "))) && !text.replace("\r\n", "").contains('\n')
    );
}

#[test]
fn a_projects_file_widens_no_permission() {
    let place = Place::new();
    let train = format!("{}train_teacher(data, some, o + #{{epochs: 1}}); print(runs().len());", crate::common::SMALL);
    place.write("project/s.rhai", &train);
    for runs in ["../out", "/var/tmp", ".hidden", "link"] {
        place.write("project/cpsd.toml", &format!("runs = \"{runs}\"\ndevice = \"cpu\"\n"));
        let _ = std::os::unix::fs::symlink(place.at("other"), place.at("project/link"));
        let refused = place.run("project", &["script", "s.rhai"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains("line 1: the run store of a project lies in its folder"), "{}", said(&refused));
    }
    assert!(!place.at("out").exists() && files(&place.at("other")).is_empty());
    // The person may name any place.
    let typed = place.run("project", &["--runs", &place.path("other/runs"), "script", "s.rhai"]);
    assert!(typed.status.success() && place.at("other/runs").is_dir(), "{}", err(&typed));
    place.write("project/cpsd.toml", "runs = \"../out\"\ndevice = \"cpu\"\n");
    let allow = format!("--allow-write={}", place.path("out"));
    let allowed = place.run("project", &[&allow, "script", "s.rhai"]);
    assert!(allowed.status.success() && place.at("out").is_dir(), "{}", err(&allowed));

    // Not trusted: no store, nothing outside, and nothing to read beyond the script's folder.
    place.write("project/secret.csv", "image,label\n1,cat\n");
    place.write(
        "project/cpsd.toml",
        "runs = \"mine\"\nlibraries = [\".\", \"../other\"]\nweights = \".\"\ndevice = \"cpu\"\n",
    );
    place.write("project/sub/s.rhai", &train);
    let run = place.run("project/sub", &["--untrusted", "script", "s.rhai"]);
    assert!(run.status.success(), "{}", err(&run));
    assert!(said(&run).contains("cpsd.toml:1: with --untrusted, runs of a project is passed over"), "{}", said(&run));
    assert!(
        said(&run).contains("cpsd.toml:2: with --untrusted, libraries of a project is passed over where"),
        "{}",
        said(&run)
    );
    assert!(place.at("project/sub/runs").is_dir() && !place.at("project/mine").exists());
    place.write("project/sub/s.rhai", "print(load_labels(\"../secret.csv\").images)");
    let refused = place.run("project/sub", &["--untrusted", "script", "s.rhai"]);
    assert!(refused.status.code() == Some(1) && said(&refused).contains("s.rhai may not read"), "{}", said(&refused));
}

#[test]
fn what_lies_beside_the_program_is_found_from_any_folder() {
    let place = Place::new();
    let copied = |to: &str| program_at(&place.at(to));
    let weights = |program: &Path, folder: &str| {
        let output = place.program(program, folder, &["config", "get", "weights"]).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        out(&output).trim_end().to_string()
    };
    // Installed, with a file of its own.
    let installed = copied("prefix/bin/cpsd");
    std::fs::create_dir_all(place.at("prefix/share/cpsd/weights")).unwrap();
    place.write("prefix/share/cpsd/cpsd.toml", "threads = 1\n");
    assert_eq!(weights(&installed, "other"), place.path("prefix/share/cpsd/weights"));
    let threads = place.program(&installed, "other", &["config"]).output().unwrap();
    assert_eq!(line(&out(&threads), "threads"), format!("1 {}:1", place.path("prefix/share/cpsd/cpsd.toml")));
    // Built in a repository, and called by a link.
    let built = copied("repository/target/release/cpsd");
    place.write("repository/target/CACHEDIR.TAG", "");
    place.write("repository/Cargo.toml", "");
    std::fs::create_dir_all(place.at("repository/weights")).unwrap();
    std::os::unix::fs::symlink(&built, place.at("home/cpsd")).unwrap();
    assert_eq!(weights(&place.at("home/cpsd"), "project/sub"), place.path("repository/weights"));
    // Absent weights: the places in order.
    let model = "model(\"efficientnet_lite0\", #{labels: [\"a\"], weights: \"imagenet\"})";
    let mut command = place.program(&built, "other", &["eval", model]);
    let absent = command.env("CPSD_WEIGHTS", "/nowhere:/no").output().unwrap();
    let text = said(&absent);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in: {text}"));
    let looked = at("looked in, in this order: /nowhere, /no, weights");
    let repository = text.rfind("repository/weights").unwrap();
    assert!(
        absent.status.code() == Some(1) && looked < repository && repository < at("~/.cache/cpsd/weights"),
        "{text}"
    );
}

#[test]
fn data_sets_are_found_by_name_and_the_one_that_is_taken_is_said() {
    let place = Place::new();
    let birds = |folder: &str| {
        std::fs::create_dir_all(place.at(folder)).unwrap();
        place.write(&format!("{folder}/labels.csv"), "image,label\na,cat\nb,dog\nc,cat\nd,dog\n");
        for name in ["a", "b", "c", "d"] {
            std::fs::copy(root("docs/img/label_graph.png"), place.at(&format!("{folder}/{name}.png"))).unwrap();
        }
    };
    let open = |folder: &str| {
        let code = "dataset(\"folder\", #{root: \"birds\", val: 0, test: 0}).train.len()";
        place.run(folder, &["eval", code])
    };
    let absent = open("project/sub");
    assert!(
        absent.status.code() == Some(1)
            && said(&absent).contains("birds is not there; no folder birds is in the working folder"),
        "{}",
        said(&absent)
    );
    birds("store/birds");
    place.write("project/cpsd.toml", "data = \"../store\"\n");
    let found = open("project/sub");
    assert_eq!(out(&found), "4\n", "{}", err(&found));
    assert!(!err(&found).contains("is taken"), "{}", err(&found));
    birds("project/datasets/birds");
    let two = open("project/sub");
    assert_eq!(out(&two), "4\n", "{}", err(&two));
    let taken = format!("store/birds is taken; {} is there too", place.path("project/datasets/birds"));
    assert!(said(&two).contains(&taken), "{}", said(&two));
    birds("project/sub/birds");
    assert!(said(&open("project/sub")).contains("dataset \"folder\": birds is taken; "));
    // By its name alone.
    let named = |code: &str| place.run("project/sub", &["eval", code]);
    let absent = named("dataset(\"coco2017\")");
    let text = said(&absent);
    assert!(text.contains("no folder coco2017 is in the working folder, ") && text.contains("store, "), "{text}");
    std::fs::create_dir_all(place.at("store/coco2017")).unwrap();
    let there = named("dataset(\"coco2017\")");
    assert!(said(&there).contains("store/coco2017/annotations/instances_train2017.json"), "{}", said(&there));
}

#[test]
fn the_prompt_shows_and_changes_settings() {
    let place = Place::new();
    place.write("project/cpsd.toml", "runs = \"runs\"\n");
    let mut command = place.program(Path::new("sh"), "project", &[]);
    command
        .args(["-c", &format!("stty rows 24 cols 160; exec {}", place.path("program/cpsd"))])
        .env("CPSD_HISTORY", place.at("history"))
        .env("TERM", "xterm-256color");
    let _ = place.command("project", &[]);
    let mut p = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
    let mut shows = |line: &str, text: &str| {
        p.exp_string("cpsd> ").unwrap();
        p.send_line(line).unwrap();
        p.exp_string(text).unwrap();
    };
    shows(":set", "cpsd.toml:1");
    shows(":set threads 1", "");
    shows(":set threads", "1  :set");
    shows(":set device gpu", "nknown device \"gpu\"");
    shows(":set devcie cpu", "id you mean \"device\"?");
    shows(":set startup x.rhai", "tartup is read when the prompt begins");
    shows(&format!(":set runs {}", place.path("other")), "");
    shows(":set runs", &format!("{}  :set", place.path("other")));
    shows(":set download on", "");
    shows(":set download", "true  :set");
    shows(":quit", "");
}

#[test]
fn the_page_and_the_code_name_the_same_settings_and_variables() {
    let page = std::fs::read_to_string(root("docs/configuration.md")).unwrap();
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 3).collect();
    let expected: Vec<String> =
        SETTINGS.iter().map(|s| format!("| `{}` | `{}` | {} | {} |", s.key, s.variable, s.default, s.text)).collect();
    assert_eq!(rows, expected);
    let names = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        words.filter(|word| word.starts_with("CPSD_") && word.len() > 5).map(str::to_string).collect()
    };
    let on_page = names(&page);
    let sources =
        files(&root("src")).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs" || e == "cpp"));
    let in_code: BTreeSet<String> = sources.flat_map(|path| names(&std::fs::read_to_string(path).unwrap())).collect();
    // Examples of variables that are not there, and a symbol of the compiler.
    let none = ["CPSD_NO_SUCH_VARIABLE", "CPSD_OF_NO_MEANING", "CPSD_NCCL"];
    let absent: Vec<&String> = in_code.difference(&on_page).filter(|name| !none.contains(&name.as_str())).collect();
    assert!(absent.is_empty(), "docs/configuration.md lacks {absent:?}");
    let unknown: Vec<&String> = on_page.difference(&in_code).collect();
    assert!(unknown.is_empty(), "docs/configuration.md has {unknown:?}, which nothing reads");
}
