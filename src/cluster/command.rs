//! The programs of a queue: found, run with a clean environment and a time limit, stopped by Ctrl-C.
