#pragma once
// What differs between operating systems. The only folder with #ifdef for one; everything here is Linux first.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace phiscope::platform {

// --- memory -------------------------------------------------------------------------------------------------------------
/// Of one process, in bytes; 0 where the system does not tell.
struct ProcessMemory {
  uint64_t resident = 0;      // all pages in core
  uint64_t anonymous = 0;     // private memory: heap, stacks, copied pages
  uint64_t file_backed = 0;   // mapped files in core
  uint64_t proportional = 0;  // PSS; costs more to read, only filled when asked for
  uint64_t peak_resident = 0; // high-water mark since start or reset_peak_resident()
};
Result<ProcessMemory> process_memory(int process_id = 0, bool with_proportional = false);  // 0 = this process
Status reset_peak_resident();
struct SystemMemory {
  uint64_t total = 0;
  uint64_t available = 0;  // already limited by the cgroup
};
SystemMemory system_memory();
/// Advice only: where the kernel has no huge pages to give, the memory is as good.
void prefer_huge_pages(void* address, size_t size_bytes);

// --- processor ----------------------------------------------------------------------------------------------------------
/// Features as bits; set only when the operating system saves the registers too (XCR0).
enum CpuFeature : uint32_t {
  kCpuAvx2 = 1u << 0,
  kCpuFma = 1u << 1,
  kCpuF16c = 1u << 2,
  kCpuAvxVnni = 1u << 3,
  kCpuAvx512 = 1u << 4,  // F, BW, DQ, VL together
  kCpuAvx512Vnni = 1u << 5,
  kCpuAvx512Bf16 = 1u << 6,
  kCpuAvx512Fp16 = 1u << 7,
  kCpuAvx512Vbmi = 1u << 8,
  kCpuAmxInt8 = 1u << 9,
  kCpuAmxBf16 = 1u << 10,
};
struct CpuInfo {
  std::string model;  // "AMD EPYC ..."
  uint32_t features = 0;
  int logical_cores = 1;
  int physical_cores = 1;       // of those this process may use (affinity)
  int usable_cores = 1;         // physical cores limited by affinity and the cgroup's quota: the default for --threads
  std::vector<int> core_ids;    // one logical CPU per usable physical core, for pinning
  uint64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;
};
const CpuInfo& cpu_info();
/// "avx2 fma f16c ..." for records.
std::string cpu_feature_names(uint32_t features);
Status pin_this_thread(int logical_cpu);

/// Load and disturbance counters to be read before and after a block.
struct SystemLoad {
  double load_average_1min = 0;
  uint64_t steal_ticks = 0;            // of all CPUs, since boot
  uint64_t busy_ticks = 0;
  uint64_t idle_ticks = 0;
  uint64_t involuntary_switches = 0;   // of this process
  double frequency_mhz = 0;            // mean over CPUs, 0 = unknown
  double temperature_c = 0;            // hottest zone, 0 = unknown
};
SystemLoad system_load();

/// Facts about the machine for the environment of a run: os, kernel, cpu, governor, memory, microcode, huge pages ...
std::vector<std::pair<std::string, std::string>> describe_machine();

// --- paths --------------------------------------------------------------------------------------------------------------
std::filesystem::path executable_path();
std::filesystem::path user_data_folder();    // $XDG_DATA_HOME/phiscope or ~/.local/share/phiscope
std::filesystem::path user_cache_folder();   // $PHISCOPE_CACHE, $XDG_CACHE_HOME/phiscope or ~/.cache/phiscope
std::filesystem::path user_config_folder();

// --- processes ----------------------------------------------------------------------------------------------------------
/// A child with pipes on stdin and stdout; stderr is passed on line by line. Killed and reaped by the destructor; dies with this process.
/// It has a process group of its own, so Ctrl-C reaches only us, and it inherits no descriptor but its three pipes.
/// send/receive may be used from one thread; kill() from any.
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;                          // [0] = program path; PATH is not searched
    std::vector<std::pair<std::string, std::string>> environment;  // added to ours
    std::function<void(std::string_view line)> on_stderr_line;   // called on an own thread; may be empty
  };
  struct Exit {
    int status = 0;       // exit status, or 0 when killed by a signal
    int signal = 0;       // 0 = exited by itself
    bool was_stopped_by_us = false;  // by kill(), the destructor or a wait() that was over
    std::string describe() const;  // "was killed by signal 9 (SIGKILL)"; says when the kernel's out-of-memory killer is the likely cause
  };
  static Result<std::unique_ptr<ChildProcess>> start(Options options);
  virtual ~ChildProcess() = default;
  /// Appends a newline. Errors: crashed when the child is gone, hung when it takes no input for a minute, cancelled by interrupt().
  virtual Status send_line(std::string_view line) = 0;
  /// Next line without its newline. Errors: hung after `timeout_s` of silence (0 = wait for ever), crashed at end of file,
  /// cancelled when interrupt() was called.
  virtual Result<std::string> receive_line(double timeout_s) = 0;
  /// Wakes a waiting receive_line (or the next one) with `cancelled`, once. Thread-safe.
  virtual void interrupt() = 0;
  virtual void close_stdin() = 0;
  virtual void kill() = 0;
  /// Waits up to `timeout_s`, then kills.
  virtual Exit wait(double timeout_s) = 0;
  virtual int process_id() const = 0;
};

/// SIGINT and SIGTERM call `handler`, which may do only what is async-signal-safe. A closed pipe (SIGPIPE) and a file that may not grow
/// (SIGXFSZ) become errors of a write instead of the end of the program.
void install_stop_handler(void (*handler)(int signal));
/// Becomes another program with the same process id and streams; arguments[0] is its path. Returns only when that failed.
Error become_program(const std::vector<std::string>& arguments);

/// Makes the calling process's protocol safe: duplicates fd 1 for the caller and points fd 1 at stderr, so that no library can spoil the
/// stream. Returns the duplicate.
Result<int> take_stdout();
Status write_all(int descriptor, std::string_view bytes);

/// Advisory lock on a file, held by the object; released also when the process dies.
class FileLock {
 public:
  /// Tries once. Error busy with the text that the holder wrote ("phiscope bench, process 123, since ...").
  static Result<std::unique_ptr<FileLock>> try_lock(const std::filesystem::path& path, std::string_view holder);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  FileLock() = default;
  int descriptor_ = -1;
};

bool stdout_is_terminal();
bool stderr_is_terminal();
int terminal_width();  // of stderr; 80 when unknown

}  // namespace phiscope::platform
