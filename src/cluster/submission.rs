//! Batches put into the queue: what the store lacks and no live batch makes.
