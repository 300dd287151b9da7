#include "core/bench/hidden_file.h"

#include <array>
#include <cstring>

namespace phiscope::bench {
namespace {

constexpr char kMagic[] = "phiscope hidden 1";
// A multiple of the cache line, so that rows stay aligned for any kernel.
struct Header {
  std::array<char, 32> magic{};
  int64_t positions = 0;
  int64_t hidden = 0;
  std::array<char, 16> unused{};
};
static_assert(sizeof(Header) == 64);

}  // namespace

Result<std::unique_ptr<HiddenWriter>> HiddenWriter::create(const std::filesystem::path& path, int64_t positions, int64_t hidden) {
  auto writer = std::make_unique<HiddenWriter>();
  PHISCOPE_ASSIGN(writer->file_, AtomicFile::create(path));
  Header header;
  std::memcpy(header.magic.data(), kMagic, sizeof(kMagic));
  header.positions = positions;
  header.hidden = hidden;
  PHISCOPE_TRY(writer->file_->write(std::as_bytes(std::span(&header, 1))));
  return writer;
}

Status HiddenWriter::write(std::span<const float> rows) { return file_->write(std::as_bytes(rows)); }

Status HiddenWriter::commit() { return file_->commit(); }

Result<HiddenStates> map_hidden(const std::filesystem::path& path, int64_t positions, int64_t hidden) {
  HiddenStates states;
  PHISCOPE_ASSIGN(states.file, MappedFile::open(path));
  const auto bytes = states.file->bytes();
  Header header;
  if (bytes.size() < sizeof(header)) return fail(ErrorCode::invalid_file, "{}: {} bytes are too few for hidden states", path.string(), bytes.size());
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic.data(), kMagic, sizeof(kMagic)) != 0)
    return fail(ErrorCode::invalid_file, "{}: not a file of hidden states; remove it with phiscope cache clear", path.string());
  const uint64_t expected = sizeof(header) + static_cast<uint64_t>(positions) * static_cast<uint64_t>(hidden) * sizeof(float);
  if (header.positions != positions || header.hidden != hidden || bytes.size() != expected)
    return fail(ErrorCode::invalid_file, "{}: holds {} positions of width {} in {} bytes, {} of width {} were expected", path.string(),
                header.positions, header.hidden, bytes.size(), positions, hidden);
  states.positions = positions;
  states.hidden = hidden;
  states.values = {reinterpret_cast<const float*>(bytes.data() + sizeof(header)), static_cast<size_t>(positions * hidden)};
  return states;
}

}  // namespace phiscope::bench
