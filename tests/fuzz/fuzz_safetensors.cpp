#include "core/format/tensor_file.h"
#include "tests/fuzz/fuzz.h"

using namespace phiscope;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::filesystem::path path = fuzz::as_file(data, size, "fuzz.safetensors");
  const fuzz::MemoryLimit limit(size);
  const auto files = TensorFiles::open_file(path);
  if (!files) {
    fuzz::check_error(files.error(), "fuzz.safetensors");
    return 0;
  }
  volatile unsigned sum = 0;  // every byte of every tensor lies inside the mapping
  for (const TensorEntry& tensor : (*files)->tensors())
    for (uint64_t i = 0; i < tensor.view.bytes(); ++i) sum = sum + static_cast<unsigned>(tensor.view.data[i]);
  return 0;
}
