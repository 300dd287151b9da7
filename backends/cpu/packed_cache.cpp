#include "backends/cpu/packed_cache.h"

#include <array>
#include <atomic>
#include <cstring>

#include "backends/cpu/packed_weights.h"
#include "core/base/hash.h"

namespace phiscope::cpu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr char kMagic[8] = {'P', 'H', 'I', 'P', 'A', 'C', 'K', '\n'};

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t entries;
  uint64_t table_offset, file_bytes;
  char key[32];
};

struct Entry {
  int64_t tensor;
  uint64_t offset, bytes;
  char hash[32];
};

uint64_t round_up(uint64_t value) { return (value + kPage - 1) / kPage * kPage; }

void copy_hash(const std::string& hash, char (&out)[32]) { std::memcpy(out, hash.data(), std::min<size_t>(hash.size(), 32)); }

template <class T>
std::span<const std::byte> bytes_of(std::span<const T> values) {
  return std::as_bytes(values);
}

struct Layout {
  std::vector<Entry> entries;  // hashes empty
  Header header{};
};

Layout lay_out(const std::string& weights_hash, std::span<const PackedMatrix> matrices) {
  Layout layout;
  uint64_t offset = kPage;
  for (size_t i = 0; i < matrices.size(); ++i) {
    if (matrices[i].blocks == 0) continue;
    layout.entries.push_back({static_cast<int64_t>(i), offset, packed_bytes(matrices[i]), {}});
    offset += round_up(packed_bytes(matrices[i]));
  }
  Header& header = layout.header;
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kPackedLayoutVersion;
  header.entries = static_cast<uint32_t>(layout.entries.size());
  header.table_offset = offset;
  header.file_bytes = offset + layout.entries.size() * sizeof(Entry) + 32;
  copy_hash(hash_text(weights_hash), header.key);
  return layout;
}

tl::unexpected<Error> damaged(const std::filesystem::path& path, std::string_view what) {
  return fail(ErrorCode::invalid_file, "packed cache {}: {}", path.string(), what);
}

}  // namespace

std::filesystem::path packed_cache_path(const std::filesystem::path& folder, const std::string& weights_hash) {
  return folder / fmt::format("{}.v{}.packed", hash_text(weights_hash), kPackedLayoutVersion);
}

Result<std::shared_ptr<const MappedFile>> map_packed_cache(const std::filesystem::path& path, const std::string& weights_hash,
                                                           std::span<PackedMatrix> matrices, Pool& pool) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return fail(ErrorCode::not_found, "packed cache {} does not exist", path.string());
  PHISCOPE_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file->bytes();
  const Layout expected = lay_out(weights_hash, matrices);
  const size_t table_bytes = expected.entries.size() * sizeof(Entry);
  if (bytes.size() != expected.header.file_bytes) return damaged(path, "its size is not that of these weights");
  if (std::memcmp(bytes.data(), &expected.header, sizeof(Header)) != 0) return damaged(path, "its header is not that of these weights");
  file->will_need(0, bytes.size());

  const auto table = bytes.subspan(expected.header.table_offset, table_bytes);
  const std::string table_hash = hash_bytes(table);
  if (std::memcmp(bytes.data() + expected.header.table_offset + table_bytes, table_hash.data(), 32) != 0) return damaged(path, "its table is damaged");
  std::vector<Entry> entries(expected.entries.size());
  std::memcpy(entries.data(), table.data(), table_bytes);
  std::atomic<bool> is_whole{true};
  pool.run(static_cast<int64_t>(entries.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Entry& entry = entries[static_cast<size_t>(i)];
      const Entry& wanted = expected.entries[static_cast<size_t>(i)];
      const bool is_same = entry.tensor == wanted.tensor && entry.offset == wanted.offset && entry.bytes == wanted.bytes &&
                           std::memcmp(entry.hash, hash_bytes(bytes.subspan(wanted.offset, wanted.bytes)).data(), 32) == 0;
      if (!is_same) is_whole = false;
    }
  });
  if (!is_whole) return damaged(path, "a matrix is damaged");
  for (const Entry& entry : entries) matrices[static_cast<size_t>(entry.tensor)].data = bytes.data() + entry.offset;
  return file;
}

Status write_packed_cache(const std::filesystem::path& path, const std::string& weights_hash, std::span<const PackedMatrix> matrices,
                          const PackTensor& pack) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  PHISCOPE_ASSIGN(const std::unique_ptr<AtomicFile> file, AtomicFile::create(path));
  Layout layout = lay_out(weights_hash, matrices);
  static constexpr std::array<std::byte, kPage> kZeros{};
  PHISCOPE_TRY(file->write(bytes_of(std::span<const Header>(&layout.header, 1))));
  PHISCOPE_TRY(file->write(std::span(kZeros).first(kPage - sizeof(Header))));
  for (Entry& entry : layout.entries) {
    PHISCOPE_ASSIGN(const std::span<const std::byte> bytes, pack(static_cast<int>(entry.tensor)));
    copy_hash(hash_bytes(bytes), entry.hash);
    PHISCOPE_TRY(file->write(bytes));
    PHISCOPE_TRY(file->write(std::span(kZeros).first(round_up(bytes.size()) - bytes.size())));
  }
  const auto table = bytes_of(std::span<const Entry>(layout.entries));
  PHISCOPE_TRY(file->write(table));
  PHISCOPE_TRY(file->write(hash_bytes(table)));
  return file->commit();
}

}  // namespace phiscope::cpu
