//! The text that a queue runs for each task.
