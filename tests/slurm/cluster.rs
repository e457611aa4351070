//! A whole Slurm on this machine for one test: munged, slurmctld and a slurmd per pretended node, in a folder of its own on
//! free ports.
//!
//! It needs root, and neither systemd nor cgroups. All its processes are killed and its folder is removed when it goes out of scope, and by
//! a guard (guard.sh) when the test's process ends otherwise.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::process::wait_for;
use crate::common::{err, out, root};

/// Of `sh`: mounts the folder $1 at $2 and becomes the program $0 with the rest.
const MOUNTED: &str = r#"real=$1 seen=$2; shift 2
bindfs --no-allow-other -o attr_timeout=5,entry_timeout=5,negative_timeout=5 "$real" "$seen" && exec "$0" "$@""#;

/// How a cluster is made.
#[derive(Clone, Copy)]
pub struct Layout {
    pub nodes: usize,
    /// Of each node.
    pub cpus: usize,
    /// Pretended ones of each node: device files that are no GPUs.
    pub gpus: usize,
    /// Indices of arrays are below it.
    pub max_array: usize,
    /// Whether preemption sends the signal that a job asked for.
    pub user_signal: bool,
    /// Whether the run store is seen by each node, and by each process of a user, through a mount of its own, with its own locks and with
    /// caches of five seconds, as on a network's file system.
    pub mounts: bool,
    /// Whether the first start of a task fails, as where a node is not well: Slurm drains the node and holds the task.
    pub fails_once: bool,
}

impl Default for Layout {
    fn default() -> Layout {
        let (user_signal, mounts, fails_once) = (false, false, false);
        Layout { nodes: 3, cpus: 1, gpus: 0, max_array: 1001, user_signal, mounts, fails_once }
    }
}

/// A running Slurm. Partitions: `main`, the default, and `urgent`, which preempts it.
pub struct Cluster {
    folder: PathBuf,
    mounts: bool,
    nodes: RefCell<Vec<Child>>,
    controller: RefCell<Option<Child>>,
    munged: Option<Child>,
    guard: Child,
    /// One cluster at a time, also where tests are threads of one process.
    _alone: File,
}

/// A task of a job, as squeue tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The job's number and the task's: `12_3`, or `12` for a job that is no array.
    pub id: String,
    pub job: String,
    pub name: String,
    pub state: String,
    pub node: String,
}

/// A task's process.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    pub pid: u32,
    /// As [`Task::id`].
    pub task: String,
    pub node: String,
}

impl Cluster {
    /// Three nodes with one core each. None, and a line that says why, where there can be no Slurm.
    pub fn start() -> Option<Cluster> {
        Cluster::with(Layout::default())
    }

    pub fn with(layout: Layout) -> Option<Cluster> {
        if let Some(reason) = impossible().or_else(|| no_mounts().filter(|_| layout.mounts)) {
            eprintln!("skipped: a cluster ({reason})");
            return None;
        }
        let alone = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("slurm.lock")).unwrap();
        alone.lock().unwrap();
        let folder = tempfile::Builder::new().prefix("cpsd-slurm-").tempdir().unwrap().keep();
        let guard = guard(&folder);
        let mut cluster = Cluster {
            folder,
            mounts: layout.mounts,
            nodes: RefCell::default(),
            controller: RefCell::default(),
            munged: None,
            guard,
            _alone: alone,
        };
        cluster.configure(layout);
        let munged = [
            "--foreground",
            "--force",
            "--num-threads=2",
            &format!("--key-file={}", cluster.at("etc/munge.key").display()),
            &format!("--socket={}", cluster.at("run/munge.sock").display()),
            &format!("--pid-file={}", cluster.at("run/munged.pid").display()),
            &format!("--log-file={}", cluster.at("log/munged.log").display()),
            &format!("--seed-file={}", cluster.at("run/munged.seed").display()),
        ];
        cluster.munged = Some(cluster.daemon("munged", &munged));
        wait_for("munged", || cluster.at("run/munge.sock").exists());
        cluster.start_controller();
        for node in 1..=layout.nodes {
            let child = cluster.slurmd(node);
            cluster.nodes.borrow_mut().push(child);
        }
        cluster.is_idle(layout.nodes);
        Some(cluster)
    }

    /// Writes the folder.
    fn configure(&self, layout: Layout) {
        for name in ["etc", "log", "run", "spool", "state", "work", "runs", "store"] {
            std::fs::create_dir(self.at(name)).unwrap();
        }
        for name in ["", "spool", "work", "runs", "store"] {
            permit(&self.at(name), 0o755);
        }
        let mut key = vec![0; 128];
        let mut random = File::open("/dev/urandom").unwrap();
        std::io::Read::read_exact(&mut random, &mut key).unwrap();
        std::fs::write(self.at("etc/munge.key"), key).unwrap();
        permit(&self.at("etc/munge.key"), 0o600);

        // All at once, so that they differ.
        let sockets: Vec<_> = (0..=layout.nodes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        drop(sockets);

        let root = self.folder.display();
        let (nodes, max_array) = (layout.nodes, layout.max_array);
        // USR1 as asked for by --signal, instead of TERM.
        let preemption = if layout.user_signal { ",preempt_send_user_signal" } else { "" };
        let mut text = format!(
            "ClusterName=cpsd
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/run/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation={root}/state
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmdLogFile={root}/log/slurmd.%n.log
SlurmdSpoolDir={root}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MailProg=/bin/true
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
KillWait=5
OverTimeLimit=0
MinJobAge=300
BatchStartTimeout=10
TCPTimeout=2
MessageTimeout=10
UnkillableStepTimeout=30
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2,requeue_setup_env_fail{preemption}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MaxArraySize={max_array}
MaxJobCount=2000
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={root}/log/jobcomp.txt
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=4
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
",
            port = ports[0],
        );
        if layout.fails_once {
            let (prolog, once) = (self.at("etc/prolog"), self.at("etc/once"));
            std::fs::write(&once, "").unwrap();
            std::fs::write(&prolog, format!("#!/bin/sh\n! rm {} 2>/dev/null\n", once.display())).unwrap();
            permit(&prolog, 0o755);
            writeln!(text, "Prolog={}", prolog.display()).unwrap();
        }
        let gpus = layout.gpus;
        let gres = if gpus > 0 { format!(" Gres=gpu:{gpus}") } else { String::new() };
        if gpus > 0 {
            for gpu in 0..gpus {
                // Must be device files; this is another /dev/null.
                let path = self.at(&format!("run/gpu{gpu}"));
                assert!(Command::new("mknod").arg(path).args(["c", "1", "3"]).status().unwrap().success());
            }
            text.push_str("GresTypes=gpu\n");
            let line = format!("NodeName=n[1-{nodes}] Name=gpu File={root}/run/gpu[0-{}]\n", gpus - 1);
            std::fs::write(self.at("etc/gres.conf"), line).unwrap();
        }
        for (i, port) in ports[1..].iter().enumerate() {
            let (name, cpus) = (i + 1, layout.cpus);
            writeln!(
                text,
                "NodeName=n{name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=2000{gres} State=UNKNOWN"
            )
            .unwrap();
        }
        std::fs::write(self.at("etc/slurm.conf"), text).unwrap();
        if newer_than((23, 2)) {
            // It asks systemd and cgroups for more than a test's machine has.
            std::fs::write(self.at("etc/cgroup.conf"), "CgroupPlugin=disabled\n").unwrap();
        }
    }

    /// A path in the cluster's folder: `work` is where scripts run, `runs` the run store as it is.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The run store as programs see it.
    pub fn store(&self) -> PathBuf {
        self.at(if self.mounts { "store" } else { "runs" })
    }

    /// A process that talks to this cluster, and sees the run store as another host would.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(if self.mounts { "unshare" } else { program });
        if self.mounts {
            // A mount that no other process has. Both exec: it is the same process.
            command.args(["--mount", "sh", "-c"]).arg(MOUNTED).arg(program).arg(self.at("runs")).arg(self.at("store"));
        }
        self.joins(&mut command);
        command
    }

    /// Has a process talk to this cluster.
    pub fn joins<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SLURM_CONF", self.at("etc/slurm.conf")).env("PATH", path())
    }

    fn daemon(&self, program: &str, arguments: &[&str]) -> Child {
        let log =
            File::options().append(true).create(true).open(self.at("log").join(format!("{program}.out"))).unwrap();
        let mut command = if program == "slurmd" { self.program(program) } else { Command::new(program) };
        self.joins(&mut command).args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0).spawn().unwrap()
    }

    fn slurmd(&self, node: usize) -> Child {
        self.daemon("slurmd", &["-D", "-N", &format!("n{node}")])
    }

    pub fn start_controller(&self) {
        *self.controller.borrow_mut() = Some(self.daemon("slurmctld", &["-D"]));
    }

    /// As when its machine loses power. It has saved what it knows by then, which it does within seconds; without that it starts running
    /// tasks again, or has forgotten them.
    pub fn kill_controller(&self) {
        let saved = || self.at("state/job_state").metadata().and_then(|state| state.modified()).ok();
        let before = saved();
        // A change that it saves.
        self.jobs()
            .iter()
            .for_each(|job| drop(self.ask("scontrol", &["update", &format!("jobid={job}"), "comment=saved"])));
        wait_for("a state that is saved", || saved() > before);
        self.controller.borrow_mut().take().into_iter().for_each(end);
    }

    /// Kills a node's slurmd. What runs on the node runs on.
    pub fn kill_slurmd(&self, node: usize) {
        let child = self.slurmd_of(node);
        end(child);
    }

    /// Kills a node's slurmd and all that runs on it, as when it loses power.
    pub fn kill_node(&self, node: usize) {
        self.kill_slurmd(node);
        let entry = format!("SLURMD_NODENAME=n{node}");
        let tasks = self.processes(|environment, _| environment.lines().any(|line| line == entry));
        // First slurmstepd, which would tell the controller how its task ended; it has no such variable.
        let cluster = self.processes(|_, _| true);
        let others = tasks.iter().filter_map(|&pid| parent(pid)).filter(|pid| cluster.contains(pid));
        let all: Vec<u32> = others.chain(tasks.iter().copied()).collect();
        all.into_iter().for_each(|pid| signal(pid, "-KILL"));
    }

    fn slurmd_of(&self, node: usize) -> Child {
        // In its place a process that has ended.
        let ended = Command::new("true").spawn().unwrap();
        std::mem::replace(&mut self.nodes.borrow_mut()[node - 1], ended)
    }

    /// Brings a node back.
    pub fn start_slurmd(&self, node: usize) {
        end(self.slurmd_of(node));
        self.nodes.borrow_mut()[node - 1] = self.slurmd(node);
    }

    /// Waits until so many nodes are idle.
    pub fn is_idle(&self, nodes: usize) {
        let expected = format!("{nodes} idle");
        let begun = Instant::now();
        while out(&self.command("sinfo", &["-h", "-p", "main", "-o", "%D %t"])).trim() != expected {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "Slurm is installed and does not start (CPSD_WITHOUT_SLURM=1 skips these tests)\n{}",
                self.story()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs one of Slurm's programs.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        self.joins(&mut command).args(arguments).current_dir(self.at("work")).stdin(Stdio::null()).output().unwrap()
    }

    /// What one of Slurm's programs prints, which must not fail.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program, arguments);
        assert!(output.status.success(), "{program} {arguments:?}: {}", err(&output));
        out(&output)
    }

    /// All tasks that the controller remembers, ended ones too.
    pub fn tasks(&self) -> Vec<Task> {
        let text = self.ask("squeue", &["-h", "-r", "-t", "all", "-o", "%i|%F|%j|%T|%N"]);
        let tasks = text.lines().map(|line| {
            let mut parts = line.split('|').map(str::to_string);
            let mut next = || parts.next().unwrap();
            Task { id: next(), job: next(), name: next(), state: next(), node: next() }
        });
        let mut tasks: Vec<Task> = tasks.collect();
        tasks.sort_by(|a, b| a.id.cmp(&b.id));
        tasks
    }

    /// The jobs that were submitted, arrays counted once.
    pub fn jobs(&self) -> Vec<String> {
        let mut jobs: Vec<String> = self.tasks().into_iter().map(|task| task.job).collect();
        jobs.sort();
        jobs.dedup();
        jobs
    }

    /// Tasks in this state.
    pub fn tasks_in(&self, state: &str) -> Vec<Task> {
        self.tasks().into_iter().filter(|task| task.state == state).collect()
    }

    /// Submits a script of shell and returns the job's number.
    pub fn sbatch(&self, options: &[&str], script: &str) -> String {
        let path = self.at("work/plain.sh");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        let arguments = [&["--parsable", "-o", "/dev/null"], options, &[path.to_str().unwrap()]].concat();
        self.ask("sbatch", &arguments).trim().to_string()
    }

    /// Processes of the cluster whose environment and command line are of this kind.
    fn processes(&self, mut of_kind: impl FnMut(&str, &str) -> bool) -> Vec<u32> {
        let entry = format!("SLURM_CONF={}", self.at("etc/slurm.conf").display());
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|e| e.file_name().to_str()?.parse().ok());
        let text = |pid: u32, name: &str| {
            let bytes = std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', "\n")
        };
        pids.filter(|&pid| {
            let environment = text(pid, "environ");
            environment.lines().any(|line| line == entry) && of_kind(&environment, &text(pid, "cmdline"))
        })
        .collect()
    }

    /// The processes that the queue has started for tasks.
    pub fn workers(&self) -> Vec<Worker> {
        let value = |environment: &str, name: &str| {
            let mut lines = environment.lines().filter_map(|line| line.split_once('='));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        let mut workers = Vec::new();
        self.processes(|environment, line| {
            let job = value(environment, "SLURM_ARRAY_JOB_ID").zip(value(environment, "SLURM_ARRAY_TASK_ID"));
            let task = job.map(|(job, index)| format!("{job}_{index}")).or(value(environment, "SLURM_JOB_ID"));
            let node = value(environment, "SLURMD_NODENAME");
            if let (true, Some(task), Some(node)) = (line.contains("\n--queued\n"), task, node) {
                workers.push((task, node));
                return true;
            }
            false
        })
        .into_iter()
        .zip(std::mem::take(&mut workers))
        .map(|(pid, (task, node))| Worker { pid, task, node })
        .collect()
    }

    /// The values that a variable has in the environments of the cluster's processes.
    pub fn values_of(&self, name: &str) -> BTreeSet<String> {
        let mut values = BTreeSet::new();
        self.processes(|environment, _| {
            let of_it = environment.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            values.extend(of_it.map(String::from));
            false
        });
        values
    }

    /// Files of the batches by their names, and of their logs. What goes away meanwhile is left out.
    pub fn of_batches(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<(PathBuf, String)> {
        let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
        let batches = entries(self.at("runs/.work/batches"));
        let files = batches.flat_map(|batch| entries(batch.clone()).chain(entries(batch.join("logs"))));
        let wanted = files.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&is_wanted));
        let mut wanted: Vec<(PathBuf, String)> = wanted
            .filter_map(|path| Some((path.clone(), String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned())))
            .collect();
        wanted.sort();
        wanted
    }

    /// What to read when a test has failed.
    fn story(&self) -> String {
        let mut text = String::new();
        for (program, arguments) in [("squeue", &["-a", "-t", "all"][..]), ("sinfo", &["-a"])] {
            // Not of a controller that is away: that takes long.
            if self.controller.borrow().is_some() {
                let output = self.command(program, arguments);
                let _ = writeln!(text, "-- {program}\n{}{}", out(&output), err(&output));
            }
        }
        for name in ["slurmctld.log", "slurmctld.out", "slurmd.out", "munged.log", "jobcomp.txt"] {
            let log = std::fs::read_to_string(self.at("log").join(name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("pmix")).collect();
            let _ = writeln!(text, "-- {name}\n{}", lines[lines.len().saturating_sub(25)..].join("\n"));
        }
        for (path, content) in self.of_batches(|name| name.ends_with(".log") || name.ends_with(".end.json")) {
            let _ = writeln!(text, "-- {}\n{content}", path.display());
        }
        text
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.story());
        }
        // The end of its standard input; it kills all and removes the folder.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        let daemons = self.nodes.get_mut().iter_mut().chain(self.controller.get_mut()).chain(&mut self.munged);
        daemons.for_each(|child| drop(child.wait()));
    }
}

/// Sends a signal.
pub fn signal(pid: u32, name: &str) {
    // One that has ended is no failure.
    let _ = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Whether this signal waits in a stopped process.
pub fn has_pending(pid: u32, number: u32) -> bool {
    is_in(pid, "ShdPnd:", number)
}

/// Whether a process has its own answer to this signal.
pub fn has_caught(pid: u32, number: u32) -> bool {
    is_in(pid, "SigCgt:", number)
}

/// Whether a set of signals of a process has this one.
fn is_in(pid: u32, set: &str, number: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(set)).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap_or(0) >> (number - 1) & 1 == 1
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Daemons are where the paths of users do not lead.
fn path() -> String {
    format!("{}:/usr/local/sbin:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Why there can be no cluster here.
fn impossible() -> Option<String> {
    if std::env::var_os("CPSD_WITHOUT_SLURM").is_some() {
        return Some("CPSD_WITHOUT_SLURM is set".into());
    }
    let path = path();
    let mut needed = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel", "scontrol"].iter();
    let absent = needed.find(|name| !path.split(':').any(|folder| Path::new(folder).join(name).is_file()));
    if let Some(name) = absent {
        return Some(format!("{name} is absent: setup/slurm.sh brings it"));
    }
    // Only root starts jobs of others, and slurmd is of no use to anyone else here.
    (std::fs::metadata("/proc/self").unwrap().uid() != 0).then(|| "only root can start it".into())
}

/// Why folders cannot be mounted here.
fn no_mounts() -> Option<String> {
    let works = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !Path::new("/dev/fuse").exists() || !works("bindfs", &["--version"]) {
        return Some("a mount for each node: bindfs or /dev/fuse is absent".into());
    }
    (!works("unshare", &["--mount", "true"])).then(|| "a mount for each node: unshare is not allowed".into())
}

/// Whether Slurm is of this version or a later one.
pub fn newer_than(version: (u32, u32)) -> bool {
    let output = Command::new("sinfo").arg("--version").output().unwrap();
    let text = out(&output);
    let mut numbers = text.split_whitespace().last().unwrap_or("").split('.').map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= version
}

fn guard(folder: &Path) -> Child {
    let mut guard = Command::new("sh")
        .arg(root("tests/slurm/guard.sh"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C and the end of a test's time go to the test's group.
        .process_group(0)
        .spawn()
        .unwrap();
    writeln!(guard.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
    guard
}
