#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/files.h"
#include "core/base/platform/descriptor.h"
#include "core/base/platform/disturbance.h"
#include "core/base/platform/kernel_files.h"
#include "core/base/platform/platform.h"
#include "core/base/platform/streams.h"

namespace phiscope::platform {
namespace {

constexpr uint64_t kKibibyte = 1024;  // the unit of /proc, whatever "kB" says there

std::filesystem::path process_folder(int process_id) {
  return std::filesystem::path("/proc") / (process_id == 0 ? std::string("self") : std::to_string(process_id));
}

}  // namespace

Result<ProcessMemory> process_memory(int process_id, bool with_proportional) {
  const std::filesystem::path folder = process_folder(process_id);
  const auto status = read_file(folder / "status");
  if (!status) return fail(status.error().code, "process {}: its memory cannot be read; it has ended or belongs to someone else", process_id);
  ProcessMemory memory;
  memory.resident = number_after(*status, "VmRSS:") * kKibibyte;
  memory.anonymous = number_after(*status, "RssAnon:") * kKibibyte;
  memory.file_backed = number_after(*status, "RssFile:") * kKibibyte;
  memory.peak_resident = number_after(*status, "VmHWM:") * kKibibyte;
  if (with_proportional) memory.proportional = number_after(kernel_text(folder / "smaps_rollup"), "Pss:") * kKibibyte;
  return memory;
}

// "5" resets the high-water mark (man 5 proc, clear_refs).
Status reset_peak_resident() { return write_existing_file("/proc/self/clear_refs", "5"); }

void prefer_huge_pages(void* address, size_t size_bytes) { (void)::madvise(address, size_bytes, MADV_HUGEPAGE); }

double page_cache_share(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!file.is_open() || ::fstat(file.get(), &facts) != 0 || facts.st_size <= 0) return -1;
  const auto size = static_cast<size_t>(facts.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) return -1;
  const auto page = static_cast<size_t>(std::max(::sysconf(_SC_PAGESIZE), 1L));
  std::vector<unsigned char> pages((size + page - 1) / page);
  const bool is_known = ::mincore(address, size, pages.data()) == 0;
  (void)::munmap(address, size);
  if (!is_known) return -1;
  const auto held = std::count_if(pages.begin(), pages.end(), [](unsigned char flags) { return (flags & 1U) != 0; });
  return static_cast<double>(held) / static_cast<double>(pages.size());
}

SystemMemory system_memory() {
  const std::string facts = kernel_text("/proc/meminfo");
  SystemMemory memory{.total = number_after(facts, "MemTotal:") * kKibibyte, .available = number_after(facts, "MemAvailable:") * kKibibyte};
  const CgroupLimits limits = cgroup_limits();
  if (limits.memory_limit_bytes > 0) {
    memory.total = std::min(memory.total, limits.memory_limit_bytes);
    memory.available = std::min(memory.available, limits.memory_left_bytes);
  }
  return memory;
}

}  // namespace phiscope::platform
