//! What lends entries and octets.
//!
//! Two kinds of storage serve every role. **Entries** are slices of small fixed structures (transactions,
//! dialogs, calls); a [`Table`] keeps them in hash chains, a timer heap and ready lists whose [`Links`] lie in a slice
//! beside them; a [`Store`] owns the two. **[`Octets`]** keep written messages: a compacting [`Pool`] here, boxes on std.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod index;
mod links;
mod octets;
mod pool;
mod store;
mod table;

pub(crate) use crate::message::move_down;
pub use links::{CHAINS, Entry, Handle, Head, LISTS, Links};
pub use octets::{Block, KeptBlocks, Octets};
pub use pool::{Pool, PoolBlocks};
pub use store::Store;
pub use table::{Table, TableRef};
