#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/record/record.h"
#include "core/store/store.h"

namespace phiscope::test {

/// Opens and expects success.
std::unique_ptr<Store> open_store(const std::filesystem::path& path);
std::string bytes_of(const std::filesystem::path& path);
/// Every field, numbers by their bits; environment, samples and series included.
void expect_equal_runs(const phiscope::Run& a, const phiscope::Run& b);
/// ULID-like ids that sort by `number`.
std::string test_run_id(int number);

/// A forked process with a pipe from it to us.
class Child {
 public:
  /// Runs `body` in the child, which then exits with the returned status. `body` may write to the descriptor.
  explicit Child(const std::function<int(int descriptor)>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Blocks until the child wrote `count` bytes or ended; returns what came.
  std::string read(size_t count);
  std::string read_all();
  void kill();
  /// Exit status, or -signal.
  int wait();

 private:
  int process_ = -1;
  int descriptor_ = -1;
};

}  // namespace phiscope::test
