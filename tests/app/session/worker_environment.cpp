#include "tests/app/session/worker_environment.h"

#include <cstdlib>

#include "core/base/files.h"

namespace phiscope::test {

WorkerTest::WorkerTest() {
  ::setenv("PHISCOPE_WORKER", PHISCOPE_WORKER_PROGRAM, 1);
  ::setenv("PHISCOPE_CACHE", (folder_ / "cache").c_str(), 1);
  ::setenv("PHISCOPE_LOCKS", (folder_ / "locks").c_str(), 1);
  ::setenv("PHISCOPE_DATASETS", (folder_ / "datasets").c_str(), 1);
  std::filesystem::create_directories(folder_ / "datasets");
}

std::filesystem::path WorkerTest::prose(size_t bytes) {
  static const char* kWords[] = {"the", "window", "was", "open", "and", "a", "small", "bird", "came", "in", "to", "sing", "of", "rain"};
  std::string text;
  for (size_t i = 0, state = 7; text.size() < bytes; ++i) {
    state = state * 1103515245 + 12345;
    text += kWords[(state >> 16) % std::size(kWords)];
    text += i % 11 == 10 ? ".\n" : " ";
  }
  const std::filesystem::path path = folder_ / "datasets/prose.txt";
  EXPECT_TRUE(write_file(path, text).has_value());
  return path;
}

std::filesystem::path WorkerTest::small_suite() {
  prose(4000);
  const std::filesystem::path path = folder_ / "small.toml";
  EXPECT_TRUE(write_file(path, R"(
[repetitions]
min = 2
max = 2
warmups = 1
[[speed]]
prompt = 8
[[speed]]
generate = 4
[[fidelity]]
text = "prose.txt"
chunk = 64
chunks = 4
[output_check]
prompts = ["the window"]
tokens = 4
)").has_value());
  return path;
}

std::filesystem::path WorkerTest::damaged_copy(const std::filesystem::path& model) {
  const std::filesystem::path copy = folder_ / "damaged";
  std::filesystem::create_directories(copy);
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"})
    std::filesystem::copy_file(model / name, copy / name);
  std::filesystem::permissions(copy / "model.safetensors", std::filesystem::perms::owner_all);
  std::filesystem::resize_file(copy / "model.safetensors", std::filesystem::file_size(copy / "model.safetensors") - 1000);
  return copy;
}

std::string fake_worker_program() { return PHISCOPE_FAKE_WORKER_PROGRAM; }

}  // namespace phiscope::test
