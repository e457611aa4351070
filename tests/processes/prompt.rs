//! The prompt in a pseudo-terminal: typed input and the screen that follows.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rexpect::session::{PtySession, spawn_command};

use crate::common::{CPSD, err, out};

const PATIENCE: u64 = 120_000;

/// A prompt in `folder`, in a terminal of 24 rows and 100 columns.
fn prompt(folder: &Path) -> PtySession {
    prompt_in(folder, 100, &[])
}

/// The same in a terminal of another width, with more environment variables.
fn prompt_in(folder: &Path, columns: usize, variables: &[(&str, &str)]) -> PtySession {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("stty rows 24 cols {columns}; exec {CPSD}")])
        .current_dir(folder)
        .env("CPSD_HISTORY", folder.join("history"))
        .env("CPSD_STARTUP", folder.join("startup.rhai"))
        .env("CPSD_RUNS", folder.join("runs"))
        .env("PAGER", "sed 's/^/| /'")
        .env("TERM", "xterm-256color")
        .env("NO_COLOR", "1")
        .env_remove("TMUX")
        .env_remove("TERM_PROGRAM")
        .env_remove("KITTY_WINDOW_ID")
        .envs(variables.iter().copied());
    let mut session = spawn_command(command, Some(PATIENCE)).unwrap();
    session.exp_string("Ctrl-D leaves").unwrap();
    session
}

/// A text as rexpect sees it: one character per byte.
fn latin(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// Waits for the output of an input and for the next prompt.
fn shows(p: &mut PtySession, text: &str) {
    p.exp_string(text).unwrap();
    p.exp_string("cpsd> ").unwrap();
}

/// Types a text without an end of line; rexpect sends it only after a flush.
fn types(p: &mut PtySession, text: &str) {
    p.send(text).unwrap();
    p.flush().unwrap();
}

/// Types a line once the prompt is there.
fn line(p: &mut PtySession, text: &str) {
    p.exp_string("cpsd> ").unwrap();
    p.send_line(text).unwrap();
}

fn leave(mut p: PtySession) {
    p.send_line(":quit").unwrap();
    p.exp_eof().unwrap();
}

#[test]
fn tab_knows_names_and_the_kinds_of_receivers() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, "let part = random_partition([\"a\", \"b\", \"c\", \"d\"], 2); 11111 + 11111");
    shows(&mut p, "22222");
    // One candidate is taken over: of a variable's kind, of a field of a map, of what a call gives.
    types(&mut p, "part.assi\t == [0] // 1");
    p.send_line("").unwrap();
    shows(&mut p, "false");
    p.send_line("let m = #{inner: part}; 30000 + 3333").unwrap();
    shows(&mut p, "33333");
    types(&mut p, "m.inner.siz\t.len() + 40");
    p.send_line("").unwrap();
    shows(&mut p, "42");
    types(&mut p, "random_partition([\"a\", \"b\"], 2).siz\t.len() + 60");
    p.send_line("").unwrap();
    shows(&mut p, "62");
    // The signature, with the argument that is being typed.
    types(&mut p, "random_partition(part, ");
    p.exp_string(&latin("▸k")).unwrap();
    p.send_line("2).k + 70").unwrap();
    shows(&mut p, "72");
    leave(p);
}

#[test]
fn help_knows_the_language_variables_and_libraries() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("abl.rhai"), "//! Ablations.\n\n/// Twice x.\nfn twice(x) { 2 * x }\n").unwrap();
    let mut p = prompt_in(folder.path(), 60, &[]);
    line(&mut p, ":set paging off");
    for (asked, says) in [
        ("?string", "sub_string"),
        ("?dict", "fill_with"),
        ("?for", "letters"),
        ("?print", "digits"),
        ("?array.sort", "ascending"),
    ] {
        line(&mut p, asked);
        p.exp_string(says).unwrap();
    }
    line(&mut p, "let part = random_partition([\"a\", \"b\"], 2); 11111 + 11111");
    shows(&mut p, "22222");
    p.send_line("?part").unwrap();
    p.exp_string("part  Partition").unwrap();
    p.exp_string(".tasks").unwrap();
    line(&mut p, "import \"abl\" as abl; abl::twice(2600)");
    p.exp_string("5200").unwrap();
    line(&mut p, "?abl");
    p.exp_string("abl::twice(x)").unwrap();
    p.exp_string("Twice x.").unwrap();
    line(&mut p, "??abl");
    p.exp_string("2 * x").unwrap();
    line(&mut p, "?*freeze*");
    p.exp_string("option of model").unwrap();
    p.exp_string("frozen for some").unwrap();
    p.exp_string("cpsd> ").unwrap();
    types(&mut p, "abl::tw\t(4300)");
    p.send_line("").unwrap();
    shows(&mut p, "8600");
    leave(p);
}

#[test]
fn several_lines_pastes_and_inputs_that_do_not_close() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, "fn area(w, h) {");
    p.send_line("w * h").unwrap();
    p.send_line("}").unwrap();
    p.send_line("area(60, 70)").unwrap();
    shows(&mut p, "4200");
    // A whole script, pasted: one input.
    types(&mut p, "\x1b[200~let total = 0;\nfor i in 0..10 {\n    total += i;\n}\ntotal * 100\x1b[201~");
    p.send_line("").unwrap();
    shows(&mut p, "4500");
    // What will not close is given up with two empty lines, or with Ctrl-C.
    p.send_line("area(1, [").unwrap();
    p.send_line("").unwrap();
    p.send_line("").unwrap();
    shows(&mut p, "opened here");
    p.send_line("area(1, (").unwrap();
    p.exp_string("area(1, (").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    p.send_control('c').unwrap();
    // Ctrl-C takes what arrives in the same moment with it: the next prompt begins after bracketed paste was left.
    p.exp_string("\x1b[?2004l").unwrap();
    p.exp_string("cpsd> ").unwrap();
    p.send_line("area(50, 51)").unwrap();
    shows(&mut p, "2550");
    // Ctrl-C in a loop keeps what the loop did.
    p.send_line("let n = 0; loop { n += 1; }").unwrap();
    std::thread::sleep(Duration::from_millis(800));
    p.send_control('c').unwrap();
    shows(&mut p, "variables are kept");
    p.send_line("if n > 0 { \"kept\" + 1 }").unwrap();
    shows(&mut p, "kept1");
    leave(p);
}

#[test]
fn values_have_numbers_and_a_session_is_saved_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut p = prompt_in(folder.path(), 100, &[("HOME", &home.path().to_string_lossy())]);
    line(&mut p, "20 + 1");
    p.exp_string("21").unwrap();
    line(&mut p, "3 + 4");
    p.exp_string("7").unwrap();
    line(&mut p, "_1 * 2 + _");
    p.exp_string("49").unwrap();
    line(&mut p, ":save session.rhai");
    p.exp_string("3 inputs").unwrap();
    line(&mut p, ":save ~/of_home.rhai");
    p.exp_string("3 inputs").unwrap();
    line(&mut p, ":profile area_of_nothing(1)");
    p.exp_string("area_of_nothing").unwrap();
    line(&mut p, ":profile _3 + 1");
    p.exp_string("50").unwrap();
    p.exp_string(":profile:1").unwrap();
    leave(p);
    let again = Command::new(CPSD).args(["script", "session.rhai"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(out(&again), "21\n7\n49\n", "{}", err(&again));
    assert!(home.path().join("of_home.rhai").exists() && !folder.path().join("~").exists());
}

#[test]
fn earlier_inputs_are_found_by_parts_in_later_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, "let alpha_of_it = 1000 + 234");
    line(&mut p, "let beta = 2");
    leave(p);
    let mut p = prompt(folder.path());
    p.exp_string("cpsd> ").unwrap();
    p.send_control('r').unwrap();
    p.exp_string("history").unwrap();
    // Parts in order, with gaps between them.
    types(&mut p, "alph234");
    p.exp_string("alpha_of_it").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // The first Enter chooses, the second runs it.
    types(&mut p, "\r");
    std::thread::sleep(Duration::from_millis(500));
    types(&mut p, "\r");
    line(&mut p, "alpha_of_it + 1");
    p.exp_string("1235").unwrap();
    leave(p);
}

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const END: &str = "\x1b[F";

#[test]
fn up_finds_inputs_that_begin_as_the_line_and_moves_between_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    for input in ["let one = 11100 + 11", "2 + 2", "let two = 22200 + 22", "2 + 2"] {
        line(&mut p, input);
    }
    // The second that begins so, and back to the first.
    p.exp_string("cpsd> ").unwrap();
    types(&mut p, &format!("let{UP}{UP}{END}; one"));
    p.send_line("").unwrap();
    shows(&mut p, "11111");
    types(&mut p, &format!("let{UP}{UP}{UP}{DOWN}{END}; two"));
    p.send_line("").unwrap();
    shows(&mut p, "22222");
    // All, from an empty line.
    types(&mut p, &format!("{UP}{UP} + 1111"));
    p.send_line("").unwrap();
    shows(&mut p, "12222");
    // Down to what was typed.
    types(&mut p, &format!("4444{UP}{DOWN}"));
    p.send_line("4").unwrap();
    shows(&mut p, "44444");
    types(&mut p, &format!("let{UP}{DOWN}{DOWN} three = 33000; three + 333"));
    p.send_line("").unwrap();
    shows(&mut p, "33333");
    // In an input of several rows Up goes to the row above.
    types(&mut p, "[\r50000,\r5555,\r");
    types(&mut p, &format!("{UP}5000 + "));
    types(&mut p, &format!("{DOWN}].reduce(|sum, x| sum + x, 0)\r"));
    shows(&mut p, "60555");
    leave(p);
}

#[test]
fn one_tab_lists_and_exit_and_quit_leave() {
    let folder = tempfile::tempdir().unwrap();
    for words in ["exit", "quit", "exit()", "quit();"] {
        let mut p = prompt(folder.path());
        p.exp_string("cpsd> ").unwrap();
        types(&mut p, "load_\t");
        p.exp_string("load_table").unwrap();
        std::thread::sleep(Duration::from_millis(300));
        p.send_control('c').unwrap();
        p.exp_string("\x1b[?2004l").unwrap();
        p.exp_string("cpsd> ").unwrap();
        p.send_line(words).unwrap();
        p.exp_eof().unwrap();
    }
    // A variable may have that name.
    let mut p = prompt(folder.path());
    line(&mut p, "let quit = 4000 + 321;");
    line(&mut p, "quit");
    shows(&mut p, "4321");
    p.send_line("exit").unwrap();
    p.exp_eof().unwrap();
}

#[test]
fn commands_of_the_shell_and_an_editor_run_from_the_prompt() {
    let folder = tempfile::tempdir().unwrap();
    // It adds to what is there, but for one text, which it leaves alone.
    let editor = "#!/bin/sh\n[ \"$1\" = -w ] || exit 9\ngrep -q unchanged \"$2\" || echo '  + 1000' >> \"$2\"\n";
    std::fs::write(folder.path().join("ed"), editor).unwrap();
    let ed = format!("sh {} -w", folder.path().join("ed").display());
    let mut p = prompt_in(folder.path(), 100, &[("VISUAL", &ed), ("EDITOR", "false")]);
    line(&mut p, "!echo $((50 + 5))ish");
    shows(&mut p, "55ish");
    p.send_line("let done = false; !done").unwrap();
    shows(&mut p, "true");
    p.send_line("!done").unwrap();
    shows(&mut p, "_2");
    p.send_line("!false").unwrap();
    shows(&mut p, "true");
    // An interrupt ends what a command began in the background, and a command that ends by itself leaves it.
    p.send_line("!sh -c 'sleep 2; touch lived' & echo be''gun; wait").unwrap();
    p.exp_string("begun").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    p.send_control('c').unwrap();
    p.exp_string("cpsd> ").unwrap();
    p.send_line("!sh -c 'sleep 1; touch left' & echo $((600 + 7))").unwrap();
    p.exp_string("607").unwrap();
    std::thread::sleep(Duration::from_millis(3000));
    assert!(!folder.path().join("lived").exists() && folder.path().join("left").exists());
    // The terminal is the prompt's again.
    p.send_line("4000 + 322").unwrap();
    shows(&mut p, "4322");
    p.send_line("!ls nothing-there").unwrap();
    shows(&mut p, "exit status");
    p.send_line("4000 + 321").unwrap();
    shows(&mut p, "4321");
    p.send_line(":edit").unwrap();
    shows(&mut p, "5321");
    // It is an input as another, and the last one now.
    types(&mut p, &format!("4000{UP}"));
    p.send_line("").unwrap();
    shows(&mut p, "5321");
    p.send_line("\"unchanged\"").unwrap();
    shows(&mut p, "unchanged");
    p.send_line(":edit").unwrap();
    shows(&mut p, "nothing was saved");
    p.send_line(":edit file.rhai").unwrap();
    shows(&mut p, "1000");
    assert_eq!(std::fs::read_to_string(folder.path().join("file.rhai")).unwrap(), "  + 1000\n");
    p.send_line("fn area(w) { w * 3 }").unwrap();
    p.send_line(":edit area").unwrap();
    shows(&mut p, "1000");
    p.send_line(":edit aera").unwrap();
    shows(&mut p, "did you mean area?");
    leave(p);
    let mut p = prompt_in(folder.path(), 100, &[("VISUAL", ""), ("EDITOR", "no-such-editor")]);
    line(&mut p, ":edit");
    p.exp_string("the editor \"no-such-editor\" is not there").unwrap();
    leave(p);
}

#[test]
fn figures_are_drawn_and_saved_and_long_texts_paged() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, "plot([#{name: \"line\", x: [1, 2, 3], y: [1, 4, 9]}])");
    p.exp_string(&latin("▀")).unwrap();
    p.exp_string("saved as out/figure-1.png").unwrap();
    line(&mut p, ":set figures off");
    line(&mut p, "_");
    p.exp_string("saved as out/figure-2.png").unwrap();
    for figure in ["out/figure-1.png", "out/figure-2.png"] {
        let bytes = std::fs::read(folder.path().join(figure)).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"), "{figure}");
    }
    line(&mut p, ":set figures kity");
    p.exp_string("did you mean").unwrap();
    // The words are more lines than the screen has.
    line(&mut p, "?");
    p.exp_string("| ").unwrap();
    line(&mut p, ":set paging off");
    line(&mut p, "let x = 5; x * 11");
    p.exp_string("55").unwrap();
    leave(p);
}

/// Asserts that the picture sent to a terminal is the saved figure.
fn is_the_figure(sent: &image::RgbImage, saved: &Path) {
    let saved = image::imageops::resize(
        &image::open(saved).unwrap().to_rgb8(),
        sent.width(),
        sent.height(),
        image::imageops::FilterType::Triangle,
    );
    let apart = |a: &image::RgbImage, b: &dyn Fn(usize) -> u8| {
        a.as_raw().iter().enumerate().map(|(i, v)| f64::from(v.abs_diff(b(i)))).sum::<f64>() / a.as_raw().len() as f64
    };
    let (difference, ink) = (apart(sent, &|i| saved.as_raw()[i]), apart(sent, &|_| 255));
    assert!(ink > 1.0 && difference < ink / 4.0, "{difference} apart, {ink} of ink");
}

#[test]
fn terminals_that_draw_pictures_are_sent_the_figure() {
    let decode = |text: &str| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    let plot = "plot([#{name: \"line\", x: [1, 2, 3], y: [1, 4, 9]}])";
    // iTerm2: a PNG in one piece.
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt_in(folder.path(), 60, &[("TERM_PROGRAM", "iTerm.app")]);
    line(&mut p, plot);
    p.exp_string("\x1b]1337;File=").unwrap();
    p.exp_string(":").unwrap();
    let sent = p.exp_string("\x07").unwrap();
    p.exp_string("saved as out/figure-1.png").unwrap();
    is_the_figure(&image::load_from_memory(&decode(&sent)).unwrap().to_rgb8(), &folder.path().join("out/figure-1.png"));
    leave(p);
    // kitty, which is asked first: pixels in pieces.
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt_in(folder.path(), 60, &[("TERM", "xterm-kitty")]);
    line(&mut p, plot);
    p.exp_string("a=q,t=d").unwrap();
    types(&mut p, "\x1b_Gi=31;OK\x1b\\\x1b[?62c");
    p.exp_string("a=q,t=t").unwrap();
    types(&mut p, "\x1b_Gi=31;EBADF\x1b\\");
    p.exp_string("a=T").unwrap();
    let first = p.exp_string(";").unwrap();
    let of = |key: &str| first.split(',').find_map(|part| part.strip_prefix(key)?.parse::<u32>().ok()).unwrap();
    let mut sent = p.exp_string("\x1b\\").unwrap();
    let mut more = first.ends_with("m=1");
    while more {
        p.exp_string("\x1b_G").unwrap();
        more = p.exp_string(";").unwrap().ends_with("m=1");
        sent.push_str(&p.exp_string("\x1b\\").unwrap());
    }
    p.exp_string("saved as out/figure-1.png").unwrap();
    let pixels = image::RgbaImage::from_raw(of("s="), of("v="), decode(&sent)).unwrap();
    is_the_figure(&image::DynamicImage::ImageRgba8(pixels).to_rgb8(), &folder.path().join("out/figure-1.png"));
    leave(p);
}

#[test]
fn ctrl_c_in_the_pager_leads_back_to_the_prompt() {
    let folder = tempfile::tempdir().unwrap();
    // Pagers that end by it, and one that, as less, keeps it for itself and goes on.
    for pager in ["echo in the pager; sleep 600", "trap '' INT; echo in the pager; sleep 2; echo left"] {
        let mut p = prompt_in(folder.path(), 100, &[("PAGER", pager)]);
        line(&mut p, "let kept = 41;");
        line(&mut p, "?");
        p.exp_string("in the pager").unwrap();
        std::thread::sleep(Duration::from_millis(500));
        p.send_control('c').unwrap();
        line(&mut p, "kept + 1");
        p.exp_string("42").unwrap();
        leave(p);
    }
}

#[test]
fn warnings_come_once_until_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, "let kept = 3;");
    let mut answer = |input: &str| {
        line(&mut p, input);
        // Behind the echo of the input.
        let value = if input == ":reset" { "\n" } else { "_" };
        let before = p.exp_string(value).unwrap();
        before.contains("warning: ")
    };
    assert!(answer("1 / 3"));
    assert!(!answer("1 / 3"));
    assert!(answer("1 / 3 "), "another input is another place");
    answer(":reset");
    assert!(answer("1 / 3"));
    line(&mut p, "kept");
    p.exp_string("there is no variable \"kept\"").unwrap();
    leave(p);
}

#[test]
fn members_of_variables_and_texts_of_many_lines_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, "let part = random_partition([\"a\", \"b\"], 2);");
    line(&mut p, "?part.tasks");
    p.exp_string("Partition.tasks").unwrap();
    line(&mut p, "?part.taks");
    p.exp_string("did you mean \"tasks\"?").unwrap();
    line(&mut p, "fn doubled(x) { // twice");
    p.send_line("  x * 2 }").unwrap();
    line(&mut p, "??doubled");
    p.exp_string("// twice").unwrap();
    p.exp_string("x * 2 }").unwrap();
    // Short texts in quotes; those of several lines as these lines, and long ones in the pager.
    line(&mut p, "\"a\\tb\" + \"\\x1b[31m\"");
    p.exp_string("\"a\\tb\\x1b[31m\"").unwrap();
    line(&mut p, "\"first\\n  second\"");
    p.exp_string("string of 2 lines").unwrap();
    p.exp_string("\r\nfirst\r\n  second\r\n").unwrap();
    line(&mut p, "let s = \"\"; for i in 0..40 { s += \"row \" + i + \"\\n\"; } s");
    p.exp_string("| row 0\r\n| row 1\r\n").unwrap();
    p.exp_string("| row 39").unwrap();
    p.exp_string("cpsd> ").unwrap();
    leave(p);
}

#[test]
fn a_long_hint_stays_on_the_row_of_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt_in(folder.path(), 60, &[]);
    p.exp_string("cpsd> ").unwrap();
    types(&mut p, "spectral_partition(a, ");
    let shown = p.exp_string(&latin("…")).unwrap();
    let hint = shown.rsplit("   ").next().unwrap();
    // The mark of an argument is three bytes.
    assert!(hint.starts_with("spectral_partition(") && hint.chars().count() <= 36, "{shown}");
    p.send_line("2) + 1").unwrap();
    p.exp_string("there is no variable \"a\"").unwrap();
    leave(p);
}

#[test]
fn jobs_run_behind_the_prompt_and_speak_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, "let job = spawn(|| { let s = 0; for i in 0..300000 { s += 1; } print(\"halfway \" + s); s + 7 });");
    // The line that is being typed survives what the job prints meanwhile.
    p.exp_string("cpsd> ").unwrap();
    types(&mut p, "let typed = 6");
    p.exp_string("halfway 300000").unwrap();
    p.exp_string("done in").unwrap();
    p.send_line(" * 7; typed").unwrap();
    p.exp_string("42").unwrap();
    line(&mut p, "wait(job)");
    p.exp_string("300007").unwrap();
    line(&mut p, "let endless = spawn(|| { loop { } }); jobs().column(\"state\")");
    p.exp_string("[\"done\", \"running\"]").unwrap();
    // Leaving with a job under way asks once.
    line(&mut p, ":quit");
    p.exp_string("still running").unwrap();
    line(&mut p, "stop(endless)");
    p.exp_string("stopped").unwrap();
    leave(p);
}

#[test]
fn another_size_of_the_terminal_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut p = prompt(folder.path());
    line(&mut p, ":sh stty cols 50; echo resi\"\"zed");
    shows(&mut p, "resized");
    p.send_line("random_partition([\"a\"], 9)").unwrap();
    p.exp_string("Got 9").unwrap();
    p.exp_string("cpsd> ").unwrap();
    p.send_line(
        "let t = table([#{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1, bbbbbbbbbbbbbbbbbbbb: 2}]); 70000 + 7777",
    )
    .unwrap();
    shows(&mut p, "77777");
    p.send_line("t").unwrap();
    let _ = p.exp_string("_2").unwrap();
    // Wider than 50 columns were the table as it is.
    let shown = p.exp_string("cpsd> ").unwrap();
    assert!(shown.contains("aaa") && shown.lines().all(|l| console::measure_text_width(l.trim_end()) <= 50), "{shown}");
    leave(p);
}
