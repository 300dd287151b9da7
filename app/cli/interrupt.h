#pragma once
// Ctrl-C, and the way into the worker program.

#include "core/job/cancel.h"

namespace phiscope::cli {

/// Set by the first Ctrl-C (or SIGTERM); the second one ends the program at once.
CancelToken& interrupt_token();
void install_interrupt_handler();

/// `phiscope worker ...` is the program phiscope-worker beside this one. Only returns when that cannot be started.
int become_worker(int argc, char** argv);

}  // namespace phiscope::cli
