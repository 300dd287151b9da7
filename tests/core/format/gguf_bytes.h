#pragma once
// GGUF files put together byte by byte, damaged ones included.

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/format/gguf.h"

namespace phiscope::test {

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string gguf_string(const std::string& text) { return raw<uint64_t>(text.size()) + text; }

inline std::string gguf_pair(const std::string& key, GgufType type, const std::string& value) { return gguf_string(key) + raw(static_cast<uint32_t>(type)) + value; }

inline std::string gguf_array(const std::string& key, GgufType type, uint64_t count, const std::string& values) {
  return gguf_pair(key, GgufType::array, raw(static_cast<uint32_t>(type)) + raw(count) + values);
}

/// `dims` fastest first, as files have them.
inline std::string gguf_tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
  std::string bytes = gguf_string(name) + raw(static_cast<uint32_t>(dims.size()));
  for (const uint64_t dim : dims) bytes += raw(dim);
  return bytes + raw(type) + raw(offset);
}

struct GgufBytes {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::vector<std::string> pairs, tensors;
  std::string data;
  uint64_t alignment = 32;

  std::string bytes() const {
    std::string all = magic + raw(version) + raw<uint64_t>(tensors.size()) + raw<uint64_t>(pairs.size());
    for (const std::string& pair : pairs) all += pair;
    for (const std::string& tensor : tensors) all += tensor;
    all.resize((all.size() + alignment - 1) / alignment * alignment, '\0');
    return all + data;
  }
};

/// One pair of every kind, three tensors of different types.
inline GgufBytes small_gguf() {
  GgufBytes file;
  file.pairs = {gguf_pair("general.architecture", GgufType::string, gguf_string("phi3")),
                gguf_pair("a.bool", GgufType::boolean, std::string(1, '\1')),
                gguf_pair("a.u8", GgufType::u8, raw<uint8_t>(200)),
                gguf_pair("a.i16", GgufType::i16, raw<int16_t>(-7)),
                gguf_pair("a.f32", GgufType::f32, raw(0.5f)),
                gguf_pair("a.u64", GgufType::u64, raw<uint64_t>(9)),
                gguf_array("a.texts", GgufType::string, 2, gguf_string("one") + gguf_string("")),
                gguf_array("a.floats", GgufType::f32, 2, raw(1.5f) + raw(-2.0f)),
                gguf_array("a.i32s", GgufType::i32, 3, raw<int32_t>(1) + raw<int32_t>(-2) + raw<int32_t>(3))};
  file.tensors = {gguf_tensor("w.f16", {3, 2}, 1, 0), gguf_tensor("w.q8", {64, 1}, 8, 32), gguf_tensor("w.f32", {2}, 0, 128)};
  file.data = std::string(128 + 32, 'x');
  return file;
}

}  // namespace phiscope::test
