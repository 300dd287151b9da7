#include "core/tensor/dtype.h"

#include <gtest/gtest.h>

namespace phiscope {
namespace {

TEST(DTypes, HaveNamesAndSizes) {
  EXPECT_EQ(dtype_name(DType::bf16), "bf16");
  EXPECT_EQ(dtype_bytes(DType::bf16), 2u);
  EXPECT_EQ(dtype_name(DType::f8_e5m2), "f8_e5m2");
  EXPECT_EQ(dtype_bytes(DType::i64), 8u);
}

TEST(TensorView, CountsElementsRowsAndColumns) {
  const TensorView view{.dtype = DType::f16, .shape = {16, 3, 8}, .data = nullptr};
  EXPECT_EQ(view.elements(), 384);
  EXPECT_EQ(view.bytes(), 768u);
  EXPECT_EQ(view.rows(), 16);
  EXPECT_EQ(view.columns(), 24);
  EXPECT_EQ(shape_text(view.shape), "[16, 3, 8]");
}

TEST(TensorView, AScalarHasOneElementAndAnEmptyTensorNone) {
  EXPECT_EQ(TensorView{}.elements(), 1);
  const TensorView empty{.dtype = DType::f32, .shape = {0, 4}, .data = nullptr};
  EXPECT_EQ(empty.elements(), 0);
  EXPECT_EQ(empty.columns(), 0);
  EXPECT_EQ(shape_text({}), "[]");
}

}  // namespace
}  // namespace phiscope
