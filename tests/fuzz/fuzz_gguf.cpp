#include "core/format/gguf.h"
#include "core/format/tensor_file.h"
#include "tests/fuzz/fuzz.h"

using namespace phiscope;

namespace {

template <class T>
void check(const Result<T>& result) {
  if (!result) fuzz::check_error(result.error(), "fuzz.gguf");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::filesystem::path path = fuzz::as_file(data, size, "fuzz.gguf");
  const fuzz::MemoryLimit limit(size);
  const auto file = GgufFile::open(path);
  check(file);
  if (!file) return 0;
  for (const GgufPair& pair : (*file)->pairs()) {  // every key asked for every type
    check((*file)->integer(pair.key, -1000, 1000));
    check((*file)->number(pair.key));
    check((*file)->boolean(pair.key));
    check((*file)->text(pair.key));
    check((*file)->texts(pair.key, 1 << 20));
    check((*file)->floats(pair.key, 1 << 20));
    check((*file)->integers(pair.key, 1 << 20));
  }
  volatile unsigned sum = 0;
  for (const TensorEntry& tensor : (*file)->tensors()->tensors())
    for (uint64_t i = 0; i < tensor.view.bytes(); ++i) sum = sum + static_cast<unsigned>(tensor.view.data[i]);
  return 0;
}
