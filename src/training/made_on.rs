//! On what a training was made. Its last bits follow from that: sums are added in an order that threads and vector units decide.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::activity::console;
use crate::files::own;
use crate::torch;

/// What a summary says of the machine beside the number of threads: `cpu` and `libtorch`.
pub(super) fn here() -> [(&'static str, Value); 2] {
    [("cpu", json!(cpu())), ("libtorch", json!(torch::version().map(|(version, _)| version)))]
}

/// Says once in a process that a run of the store was made on something else than would compute it here, if its summary says on what.
pub(super) fn say_if_elsewhere(id: &str, summary: &Value, threads: usize) {
    static SAID: AtomicBool = AtomicBool::new(false);
    // What a GPU computes depends on these in no way that is known here.
    if summary["device"] != json!("Cpu") {
        return;
    }
    let mut now = json!({ "threads": threads });
    here().into_iter().for_each(|(key, value)| now[key] = value);
    if let Some(differences) = differences(summary, &now)
        && !SAID.swap(true, Ordering::Relaxed)
    {
        console::log(&format!(
            "{id} is of the store and was made {differences}; computed here its last bits would be others. This is said once"
        ));
    }
}

/// What differs, as `with 8 threads (here 2) and on an Intel ... (here an AMD ...)`; None for nothing that both say.
fn differences(then: &Value, now: &Value) -> Option<String> {
    let with = |key: &str, said: &dyn Fn(&Value) -> String| {
        let (then, now) = (&then[key], &now[key]);
        let differ = !then.is_null() && !now.is_null() && then != now;
        let here = now.as_str().map_or(now.to_string(), str::to_string);
        differ.then(|| format!("{} (here {here})", said(then)))
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let all = [
        with("threads", &|n| format!("with {n} thread{}", if n == &json!(1) { "" } else { "s" })),
        with("cpu", &|cpu| format!("on {}", text(cpu))),
        with("libtorch", &|version| format!("by libtorch {}", text(version))),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// The name of the processor, as the system gives it.
fn cpu() -> Option<&'static str> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let name = NAME.get_or_init(|| {
        let text = own::read_text(Path::new("/proc/cpuinfo")).ok()?;
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    });
    name.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_what_is_not_known_is_not() {
        let made = |threads: u64, cpu: &str| json!({ "threads": threads, "cpu": cpu, "libtorch": "2.13.0" });
        let now = made(2, "AMD EPYC");
        assert_eq!(differences(&now, &now), None);
        assert_eq!(differences(&json!({ "threads": 2 }), &now), None);
        assert_eq!(differences(&json!({ "threads": 8 }), &now).unwrap(), "with 8 threads (here 2)");
        assert_eq!(
            differences(&made(1, "Intel Xeon"), &now).unwrap(),
            "with 1 thread (here 2) and on Intel Xeon (here AMD EPYC)"
        );
    }

    #[test]
    fn the_processor_has_a_name_on_linux() {
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            assert!(cpu().is_some_and(|name| !name.is_empty()));
        }
    }
}
