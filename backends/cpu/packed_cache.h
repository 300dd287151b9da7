#pragma once
// Packed weights as a file, so that the next load is a mapping.
//
// Layout: a page with magic, version, table offset, file size and key; the matrices, each on a 4 KiB boundary, in the order of the plan's
// tensors; a table of {tensor, offset, bytes, hash} and its own hash. Written beside the target and renamed: readers and other writers see
// a whole file or none. A file that is damaged, of another version or of other weights is ignored and written again.

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/pool.h"
#include "core/base/files.h"
#include "core/base/result.h"

namespace phiscope::cpu {

/// The cache file of weights with `weights_hash`: the name depends on the layout version too.
std::filesystem::path packed_cache_path(const std::filesystem::path& folder, const std::string& weights_hash);

/// Maps the file and points `matrices` (index = tensor, shapes filled, blocks 0 = not packed) into it. Every byte's hash is checked, with all
/// threads. Errors: not_found, invalid_file when anything differs from what is expected.
Result<std::shared_ptr<const MappedFile>> map_packed_cache(const std::filesystem::path& path, const std::string& weights_hash,
                                                           std::span<PackedMatrix> matrices, Pool& pool);

/// Writes the file; `pack(tensor)` returns the packed bytes, valid until the next call. Errors: those of `pack`, io.
using PackTensor = std::function<Result<std::span<const std::byte>>(int tensor)>;
Status write_packed_cache(const std::filesystem::path& path, const std::string& weights_hash, std::span<const PackedMatrix> matrices,
                          const PackTensor& pack);

}  // namespace phiscope::cpu
