#include "core/model/legacy_names.h"

namespace phiscope {
namespace {

// Applied in this order, each at most once. To add a name: a row.
struct Renamed {
  std::string_view plan, file;
};
constexpr Renamed kRenamed[] = {
    {"lm_head.", "lm_head.linear."},
    {"model.embed_tokens.", "transformer.embd.wte."},
    {"model.final_layernorm.", "lm_head.ln."},
    {"model.layers.", "transformer.h."},
    {".input_layernorm.", ".ln."},
    {".self_attn.dense.", ".mixer.out_proj."},
};
constexpr std::string_view kFused = ".mixer.Wqkv.";  // rows of q, then k, then v
constexpr std::string_view kParts[] = {".self_attn.q_proj.", ".self_attn.k_proj.", ".self_attn.v_proj."};

bool replace(std::string& name, std::string_view from, std::string_view to) {
  const size_t at = name.find(from);
  if (at == std::string::npos) return false;
  name.replace(at, from.size(), to);
  return true;
}

}  // namespace

LegacyTensor legacy_tensor(std::string name, int64_t rows, const ModelConfig& config) {
  LegacyTensor found{std::move(name), 0, rows};
  for (const Renamed& row : kRenamed)
    if (replace(found.name, row.plan, row.file) && !row.file.starts_with("transformer.h.")) break;
  const int64_t q_rows = config.heads * config.head_dim, kv_rows = config.kv_heads * config.head_dim;
  const int64_t first_rows[] = {0, q_rows, q_rows + kv_rows};
  for (size_t part = 0; part < std::size(kParts); ++part)
    if (replace(found.name, kParts[part], kFused)) return {found.name, first_rows[part], q_rows + 2 * kv_rows};
  return found;
}

}  // namespace phiscope
