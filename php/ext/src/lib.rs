pub use cr0sync as _;
