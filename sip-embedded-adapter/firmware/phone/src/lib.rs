//! The desk phone's own logic, without the board.
#![cfg_attr(not(test), no_std)]
