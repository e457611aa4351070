//! A process that a test watches, signals and waits for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Killed when it goes out of scope.
pub struct Process {
    child: Child,
    /// Where it writes its standard error.
    text: PathBuf,
}

impl Process {
    /// Begins it, with its standard error in the file `text`.
    pub fn begin(command: &mut Command, text: &Path) -> Process {
        let child = command.stdin(Stdio::null()).stderr(File::create(text).unwrap()).spawn().unwrap();
        Process { child, text: text.to_path_buf() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// What it has written to standard error.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.text).unwrap()).into_owned()
    }

    /// Waits until it has said these words. Fails when it ends without.
    pub fn says(&mut self, words: &str) {
        let mut ended = false;
        wait_for(words, || {
            let found = self.said().contains(words);
            assert!(found || !ended, "it ended without \"{words}\":\n{}", self.said());
            ended = self.child.try_wait().unwrap().is_some();
            found
        });
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end. Returns its exit code, None where a signal ended it, and what it said.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let mut status = None;
        wait_for_so_long(Duration::from_secs(300), "the end of a process", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap().code(), self.said())
    }

    /// Waits for its end with this exit code, and returns what it said.
    pub fn ends_with(self, code: i32) -> String {
        let (came, said) = self.ended();
        assert_eq!(came, Some(code), "{said}");
        said
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `found`, and fails after a time that is much too long.
pub fn wait_for(what: &str, found: impl FnMut() -> bool) {
    wait_for_so_long(Duration::from_secs(100), what, found);
}

pub fn wait_for_so_long(longest: Duration, what: &str, mut found: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !found() {
        assert!(begun.elapsed() < longest, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
