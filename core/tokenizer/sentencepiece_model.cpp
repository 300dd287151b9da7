#include "core/tokenizer/sentencepiece_model.h"

#include <array>
#include <bit>
#include <cstring>

#include "core/tokenizer/scored_pieces.h"
#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {
namespace {

enum class Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
constexpr std::array<std::string_view, 6> kWireNames{"a number", "8 bytes", "a length and bytes", "", "", "4 bytes"};

struct Field {
  uint32_t number = 0;
  Wire wire = Wire::varint;
  uint64_t value = 0;      // of numbers
  std::string_view bytes;  // of Wire::bytes
  size_t offset = 0;       // in the file
};

// The fields of one message, in order. Protocol buffers: a tag (field number, wire type), then the value.
class Message {
 public:
  Message(std::string_view bytes, size_t offset, std::string_view where) : bytes_(bytes), offset_(offset), where_(where) {}

  bool at_end() const { return at_ == bytes_.size(); }

  Result<Field> next() {
    Field field;
    field.offset = offset_ + at_;
    PHISCOPE_ASSIGN(const uint64_t tag, varint(field));
    field.number = static_cast<uint32_t>(tag >> 3);
    if (tag >> 3 == 0 || tag >> 3 > kMaxFieldNumber) {
      return fail(ErrorCode::invalid_file, "{}: byte {}: {} is no field number", where_, field.offset, tag >> 3);
    }
    field.wire = static_cast<Wire>(tag & 7);
    switch (field.wire) {
      case Wire::varint: {
        PHISCOPE_ASSIGN(field.value, varint(field));
        return field;
      }
      case Wire::fixed64: return fixed(field, 8);
      case Wire::fixed32: return fixed(field, 4);
      case Wire::bytes: {
        PHISCOPE_ASSIGN(const uint64_t size, varint(field));
        if (size > bytes_.size() - at_) {
          return fail(ErrorCode::invalid_file, "{}: byte {}: field {} has {} bytes, {} are left", where_, field.offset, field.number, size,
                      bytes_.size() - at_);
        }
        field.bytes = bytes_.substr(at_, size);
        at_ += size;
        return field;
      }
    }
    return fail(ErrorCode::invalid_file, "{}: byte {}: field {} has the wire type {}, which is none of SentencePiece's", where_, field.offset,
                field.number, tag & 7);
  }

 private:
  static constexpr uint64_t kMaxFieldNumber = (1U << 29) - 1;

  Result<uint64_t> varint(const Field& field) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return fail(ErrorCode::invalid_file, "{}: byte {}: the number there has no end", where_, field.offset);
  }

  Result<Field> fixed(Field field, size_t size) {
    if (size > bytes_.size() - at_) {
      return fail(ErrorCode::invalid_file, "{}: byte {}: field {} has {} bytes, {} are left", where_, field.offset, field.number, size,
                  bytes_.size() - at_);
    }
    for (size_t i = 0; i < size; ++i) field.value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes_[at_ + i])) << (8 * i);
    at_ += size;
    return field;
  }

  std::string_view bytes_;
  size_t offset_;  // of bytes_ in the file
  std::string_view where_;
  size_t at_ = 0;
};

// sentencepiece_model.proto, numbers of the fields that decide ids and text.
namespace model_field { enum : uint32_t { pieces = 1, trainer_spec = 2, normalizer_spec = 3 }; }
namespace piece_field { enum : uint32_t { piece = 1, score = 2, type = 3 }; }
namespace trainer_field { enum : uint32_t { model_type = 3, treat_whitespace_as_suffix = 24, byte_fallback = 35, bos_id = 41 }; }
namespace normalizer_field {
enum : uint32_t { name = 1, precompiled_charsmap = 2, add_dummy_prefix = 3, remove_extra_whitespaces = 4, escape_whitespaces = 5 };
}

constexpr uint64_t kUnigram = 1, kBpe = 2;
constexpr std::array<std::string_view, 5> kModelTypes{"of an unknown type", "Unigram", "BPE", "word", "char"};

class Reader {
 public:
  Reader(std::string_view bytes, std::string_view where) : bytes_(bytes), where_(where) {}

  Result<TokenizerDefinition> run() {
    PHISCOPE_TRY(each(bytes_, 0, [this](const Field& field) { return model(field); }));
    if (model_type_ != kBpe) {
      return fail(ErrorCode::unsupported, "{}: the model is {}; only BPE is supported", where_,
                  kModelTypes[model_type_ < kModelTypes.size() ? model_type_ : 0]);
    }
    PHISCOPE_TRY(check_normalizer());
    if (byte_fallback_ && !has_bytes_) return fail(ErrorCode::invalid_file, "{}: trainer_spec.byte_fallback is set, but there are no byte pieces", where_);
    std::string bos;
    if (bos_id_ < out_.pieces.size()) bos = out_.pieces[bos_id_].text;
    PHISCOPE_ASSIGN(TokenizerDefinition definition, define_scored(std::move(out_), where_));
    definition.prefix_special = std::move(bos);  // Llama's tokenizer begins with it unless the settings say otherwise
    return definition;
  }

 private:
  template <class Read>
  Status each(std::string_view bytes, size_t offset, Read&& read) {
    Message message(bytes, offset, where_);
    while (!message.at_end()) {
      PHISCOPE_ASSIGN(const Field field, message.next());
      PHISCOPE_TRY(read(field));
    }
    return {};
  }

  Status expect(const Field& field, Wire wire, std::string_view name) const {
    if (field.wire == wire) return {};
    return fail(ErrorCode::invalid_file, "{}: byte {}: {} must be {}", where_, field.offset, name, kWireNames[static_cast<size_t>(wire)]);
  }

  // Offset of a message inside its field.
  size_t inside(const Field& field) const { return static_cast<size_t>(field.bytes.data() - bytes_.data()); }

  Status model(const Field& field) {
    switch (field.number) {
      case model_field::pieces: return piece(field);
      case model_field::trainer_spec:
        PHISCOPE_TRY(expect(field, Wire::bytes, "trainer_spec"));
        return each(field.bytes, inside(field), [this](const Field& inner) { return trainer(inner); });
      case model_field::normalizer_spec:
        PHISCOPE_TRY(expect(field, Wire::bytes, "normalizer_spec"));
        return each(field.bytes, inside(field), [this](const Field& inner) { return normalizer(inner); });
      default: return {};
    }
  }

  Status piece(const Field& field) {
    PHISCOPE_TRY(expect(field, Wire::bytes, "pieces"));
    if (out_.pieces.size() > static_cast<size_t>(kMaxTokenId)) {
      return fail(ErrorCode::unsupported, "{}: byte {}: there are more than {} pieces", where_, field.offset, kMaxTokenId + 1);
    }
    ScoredPiece& made = out_.pieces.emplace_back();
    PHISCOPE_TRY(each(field.bytes, inside(field), [&](const Field& inner) { return piece_part(inner, made); }));
    has_bytes_ = has_bytes_ || made.type == PieceType::byte;
    if (made.type != PieceType::unused) return {};
    return fail(ErrorCode::unsupported, "{}: byte {}: pieces[{}] {} is unused; such models are not supported", where_, field.offset,
                out_.pieces.size() - 1, shown(made.text));
  }

  Status piece_part(const Field& field, ScoredPiece& made) const {
    const std::string name = fmt::format("pieces[{}]", out_.pieces.size() - 1);
    switch (field.number) {
      case piece_field::piece:
        PHISCOPE_TRY(expect(field, Wire::bytes, name + ".piece"));
        made.text = field.bytes;
        return {};
      case piece_field::score:
        PHISCOPE_TRY(expect(field, Wire::fixed32, name + ".score"));
        made.score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
        return {};
      case piece_field::type:
        PHISCOPE_TRY(expect(field, Wire::varint, name + ".type"));
        if (field.value < 1 || field.value > 6) {
          return fail(ErrorCode::invalid_file, "{}: byte {}: {}.type is {}; it must be between 1 and 6", where_, field.offset, name, field.value);
        }
        made.type = static_cast<PieceType>(field.value);
        return {};
      default: return {};
    }
  }

  Status trainer(const Field& field) {
    switch (field.number) {
      case trainer_field::model_type:
        PHISCOPE_TRY(expect(field, Wire::varint, "trainer_spec.model_type"));
        model_type_ = field.value;
        return {};
      case trainer_field::treat_whitespace_as_suffix:
        if (field.value == 0) return {};
        return fail(ErrorCode::unsupported, "{}: byte {}: trainer_spec.treat_whitespace_as_suffix is not supported", where_, field.offset);
      case trainer_field::byte_fallback:
        PHISCOPE_TRY(expect(field, Wire::varint, "trainer_spec.byte_fallback"));
        byte_fallback_ = field.value != 0;
        return {};
      case trainer_field::bos_id:
        PHISCOPE_TRY(expect(field, Wire::varint, "trainer_spec.bos_id"));
        bos_id_ = field.value;
        return {};
      default: return {};
    }
  }

  Status normalizer(const Field& field) {
    const bool is_text = field.number == normalizer_field::name || field.number == normalizer_field::precompiled_charsmap;
    if (field.number <= normalizer_field::escape_whitespaces) {
      PHISCOPE_TRY(expect(field, is_text ? Wire::bytes : Wire::varint, fmt::format("normalizer_spec field {}", field.number)));
    }
    switch (field.number) {
      case normalizer_field::name: normalizer_name_ = field.bytes; break;
      case normalizer_field::precompiled_charsmap: has_character_map_ = !field.bytes.empty(); break;
      case normalizer_field::add_dummy_prefix: out_.add_space_prefix = field.value != 0; break;
      case normalizer_field::remove_extra_whitespaces: removes_spaces_ = field.value != 0; break;
      case normalizer_field::escape_whitespaces: out_.escapes_spaces = field.value != 0; break;
      default: break;
    }
    return {};
  }

  Status check_normalizer() const {
    if (has_character_map_) {
      return fail(ErrorCode::unsupported, "{}: the normalizer {} maps characters; only \"identity\" is supported", where_, shown(normalizer_name_));
    }
    if (!removes_spaces_) return {};
    return fail(ErrorCode::unsupported, "{}: normalizer_spec.remove_extra_whitespaces is not supported; it must be off", where_);
  }

  std::string_view bytes_, where_;
  ScoredVocabulary out_;
  uint64_t model_type_ = kUnigram, bos_id_ = 1;        // absent fields have these values
  bool byte_fallback_ = false, removes_spaces_ = true;  // likewise
  bool has_bytes_ = false, has_character_map_ = false;
  std::string_view normalizer_name_;
};

}  // namespace

Result<TokenizerDefinition> read_sentencepiece_model(std::string_view bytes, std::string_view where) { return Reader(bytes, where).run(); }

}  // namespace phiscope
