//! The thread of the sockets: requests come in, and what any thread gives goes out in the order in which it was given.

use std::os::unix::process::parent_id;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use jupyter_protocol::{
    ConnectionInfo, InterruptReply, JupyterMessage, JupyterMessageContent, ReplyStatus, ShutdownReply, Status,
};
use jupyter_zmq_client::{
    KernelHeartbeatConnection, KernelIoPubConnection, RawMessage, RouterRecvConnection, RouterSendConnection,
    RuntimeError, create_kernel_control_connection, create_kernel_heartbeat_connection, create_kernel_iopub_connection,
    create_kernel_shell_connection, create_kernel_stdin_connection,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zeromq::{SocketRecv, SocketSend};

use super::outputs::Outputs;
use super::{info, wire};
use crate::activity::interrupt;
use crate::error::{Error, ErrorKind, Result};

/// How often lines and progress go out.
const TICK: Duration = Duration::from_millis(50);
/// After a socket's failure, before it is asked again.
const PAUSE: Duration = Duration::from_millis(20);
/// The sockets have so long to hand over the last messages.
const LAST: Duration = Duration::from_millis(150);

/// The sockets that send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    Shell,
    Control,
    Stdin,
    Iopub,
}

/// A request of a client.
pub struct Request {
    pub message: JupyterMessage,
    /// Where its reply goes.
    pub socket: Socket,
    pub came: Instant,
}

/// Something for the thread of the sockets.
pub enum Sent {
    Message(Socket, Box<JupyterMessage>),
    /// The end of what is to be sent before an answer.
    Flush(mpsc::Sender<()>),
}

/// Sends from any thread, and never waits.
#[derive(Clone)]
pub struct Sender(UnboundedSender<Sent>);

/// A sender, and what [`open`] sends from.
pub fn channel() -> (Sender, UnboundedReceiver<Sent>) {
    let (sender, receiver) = unbounded_channel();
    (Sender(sender), receiver)
}

impl Sender {
    /// Sends a message. When the sockets' thread has ended, there is nobody to tell.
    pub fn send(&self, socket: Socket, message: JupyterMessage) {
        let _ = self.0.send(Sent::Message(socket, Box::new(message)));
    }

    /// Tells all clients something about the request.
    pub fn publish(&self, content: impl Into<JupyterMessageContent>, request: &JupyterMessage) {
        let mut message = JupyterMessage::new(content, Some(request));
        message.zmq_identities = vec![message.header.msg_type.clone().into()];
        self.send(Socket::Iopub, message);
    }

    /// Waits until everything was handed to the network, for a moment at most.
    pub fn flush(&self) {
        let (done, wait) = mpsc::channel();
        if self.0.send(Sent::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(10 * LAST);
        }
    }
}

/// What comes from the thread of the sockets.
pub struct Sockets {
    pub requests: Receiver<Request>,
    /// What the person answered.
    pub answers: Receiver<String>,
    /// The kernel is to end.
    pub leaving: Arc<AtomicBool>,
}

/// Begins the thread of the sockets, which are bound when this returns.
///
/// Errors: an address that cannot be bound; no thread can be made.
pub fn open(
    info: ConnectionInfo,
    to_send: UnboundedReceiver<Sent>,
    outputs: Arc<Outputs>,
    leaving: Arc<AtomicBool>,
) -> Result<Sockets> {
    let (requests_in, requests) = mpsc::channel();
    let (answers_in, answers) = mpsc::channel();
    let (ready, bound) = mpsc::channel();
    let hub = Hub { requests: requests_in, answers: answers_in, outputs, leaving: leaving.clone() };
    let body = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        match runtime {
            Ok(runtime) => runtime.block_on(serve(info, to_send, hub, ready)),
            Err(error) => drop(ready.send(Err(format!("{error}")))),
        }
    };
    let thread = std::thread::Builder::new().name("kernel sockets".into()).spawn(body);
    thread.map_err(|e| Error::internal(format!("a thread cannot be made: {e}")))?;
    match bound.recv() {
        Ok(Ok(())) => Ok(Sockets { requests, answers, leaving }),
        Ok(Err(cause)) => Err(Error::new(ErrorKind::Io, format!("the kernel cannot listen: {cause}"))),
        Err(_) => Err(Error::internal("the thread of the sockets ended")),
    }
}

/// What the tasks of the thread share.
#[derive(Clone)]
struct Hub {
    requests: mpsc::Sender<Request>,
    answers: mpsc::Sender<String>,
    outputs: Arc<Outputs>,
    leaving: Arc<AtomicBool>,
}

impl Hub {
    /// Ends the kernel as soon as what runs has stopped.
    fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        interrupt::request();
    }

    fn hand_over(&self, message: JupyterMessage, socket: Socket) {
        let _ = self.requests.send(Request { message, socket, came: Instant::now() });
    }
}

struct Bound {
    iopub: KernelIoPubConnection,
    shell: RouterSendConnection,
    control: RouterSendConnection,
    stdin: RouterSendConnection,
}

async fn serve(
    info: ConnectionInfo,
    mut to_send: UnboundedReceiver<Sent>,
    hub: Hub,
    ready: mpsc::Sender<Result<(), String>>,
) {
    let mut bound = match bind(&info, &hub).await {
        Ok(bound) => bound,
        Err(error) => return drop(ready.send(Err(error.to_string()))),
    };
    let _ = ready.send(Ok(()));
    tokio::spawn(tick(hub));
    // A client that is gone is no failure.
    while let Some(sent) = to_send.recv().await {
        let _ = match sent {
            Sent::Message(Socket::Iopub, message) => bound.iopub.send(*message).await,
            Sent::Message(Socket::Shell, message) => bound.shell.send(*message).await,
            Sent::Message(Socket::Control, message) => bound.control.send(*message).await,
            Sent::Message(Socket::Stdin, message) => bound.stdin.send(*message).await,
            Sent::Flush(done) => {
                // Other tasks of this thread hand it to the network.
                tokio::time::sleep(LAST).await;
                let _ = done.send(());
                Ok(())
            }
        };
    }
}

async fn bind(info: &ConnectionInfo, hub: &Hub) -> Result<Bound, RuntimeError> {
    let session = &info::session();
    let heartbeat = create_kernel_heartbeat_connection(info).await?;
    let iopub = create_kernel_iopub_connection(info, session).await?;
    let (shell, from_shell) = create_kernel_shell_connection(info, session).await?.split();
    let (control, from_control) = create_kernel_control_connection(info, session).await?.split();
    let (stdin, from_stdin) = create_kernel_stdin_connection(info, session).await?.split();
    tokio::spawn(beat(heartbeat));
    tokio::spawn(receive(from_shell, hub.clone(), |hub, message| hub.hand_over(message, Socket::Shell)));
    tokio::spawn(receive(from_control, hub.clone(), controlled));
    tokio::spawn(receive(from_stdin, hub.clone(), |hub, message| {
        if let JupyterMessageContent::InputReply(reply) = message.content {
            let _ = hub.answers.send(reply.value);
        }
    }));
    Ok(Bound { iopub, shell, control, stdin })
}

/// Gives every message that comes to `take`.
async fn receive(mut connection: RouterRecvConnection, hub: Hub, take: fn(&Hub, JupyterMessage)) {
    loop {
        let Ok(frames) = connection.socket.recv().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // What is not signed by our key, or no message at all, is nobody's.
        let raw = RawMessage::from_multipart(frames, &connection.mac).ok();
        if let Some(message) = raw.and_then(wire::message) {
            take(&hub, message);
        }
    }
}

/// Answers on the control channel what must not wait for the cell that runs.
fn controlled(hub: &Hub, message: JupyterMessage) {
    let sender = hub.outputs.sender();
    let reply: JupyterMessageContent = match &message.content {
        JupyterMessageContent::InterruptRequest(_) => {
            interrupt::request();
            InterruptReply::new().into()
        }
        JupyterMessageContent::ShutdownRequest(request) => {
            hub.leave();
            let reply = ShutdownReply { restart: request.restart, status: ReplyStatus::Ok, error: None };
            sender.publish(reply.clone(), &message);
            reply.into()
        }
        JupyterMessageContent::KernelInfoRequest(_) => info::reply().into(),
        _ => return hub.hand_over(message, Socket::Control),
    };
    sender.publish(Status::busy(), &message);
    sender.send(Socket::Control, JupyterMessage::new(reply, Some(&message)));
    sender.publish(Status::idle(), &message);
}

/// Echoes.
async fn beat(mut connection: KernelHeartbeatConnection) {
    loop {
        match connection.socket.recv().await {
            Ok(message) => drop(connection.socket.send(message).await),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Sends lines and progress from time to time, and ends the kernel when the process is gone that wants to be outlived by none.
async fn tick(hub: Hub) {
    let parent = std::env::var_os("JPY_PARENT_PID").is_some().then(parent_id);
    loop {
        tokio::time::sleep(TICK).await;
        hub.outputs.tick();
        if parent.is_some_and(|parent| parent != parent_id()) {
            hub.leave();
        }
    }
}
