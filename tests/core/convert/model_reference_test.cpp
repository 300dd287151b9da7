#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/convert/artifact.h"
#include "tests/core/convert/tiny_model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using ::testing::HasSubstr;

class ModelArgument : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("PHISCOPE_DATASETS"); }
  std::string touch(const std::string& name, const std::string& content = "x") {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << content;
    return (folder_ / name).string();
  }
  void expect_refused(const std::string& argument, ErrorCode code, std::initializer_list<const char*> says) {
    const auto refused = resolve_model(argument);
    ASSERT_FALSE(refused.has_value()) << argument;
    EXPECT_EQ(refused.error().code, code) << refused.error().message;
    for (const char* text : says) EXPECT_THAT(refused.error().message, HasSubstr(text));
  }
  test::TemporaryFolder folder_;
};

TEST_F(ModelArgument, CanBeAFolderOrAnArtifact) {
  const Model model = test::tiny_model(folder_ / "model");
  const auto folder = resolve_model((folder_ / "model").string());
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  EXPECT_EQ(folder->kind, ModelReference::Kind::folder);
  ASSERT_TRUE(make_artifact(model, test::recipe_of("int8"), folder_ / "artifact", {}).has_value());
  const auto artifact = resolve_model((folder_ / "artifact").string());
  ASSERT_TRUE(artifact.has_value());
  EXPECT_EQ(artifact->kind, ModelReference::Kind::artifact);
}

TEST_F(ModelArgument, CanBeBundledOrSynthetic) {
  std::filesystem::create_directories(folder_ / "tiny_phi/model");
  setenv("PHISCOPE_DATASETS", folder_.path().c_str(), 1);
  const auto bundled = resolve_model("bundled:tiny-phi");
  ASSERT_TRUE(bundled.has_value()) << bundled.error().message;
  EXPECT_EQ(bundled->path, folder_ / "tiny_phi/model");
  EXPECT_EQ(bundled->name, "bundled:tiny-phi");
  expect_refused("bundled:huge-phi", ErrorCode::not_found, {"huge-phi", "bundled:tiny-phi"});
  const auto synthetic = resolve_model("synthetic:phi-3.5-mini");
  ASSERT_TRUE(synthetic.has_value()) << synthetic.error().message;
  EXPECT_EQ(synthetic->kind, ModelReference::Kind::synthetic);
  expect_refused("synthetic:phi-3.5-mimi", ErrorCode::not_found, {"did you mean 'phi-3.5-mini'?"});
}

TEST_F(ModelArgument, FindsTheSourceTreesDatasetsByDefault) { EXPECT_EQ(datasets_folder().filename(), "datasets"); }

TEST_F(ModelArgument, MustExist) {
  expect_refused((folder_ / "nowhere").string(), ErrorCode::not_found, {"nowhere", "does not exist"});
  expect_refused("", ErrorCode::invalid_argument, {"empty"});
}

TEST_F(ModelArgument, RefusesOtherFilesByNameWithTheWayOut) {
  for (const char* name : {"pytorch_model.bin", "model.pt", "model.PTH", "phi.ckpt"})
    expect_refused(touch(name), ErrorCode::unsupported, {name, "pickle", "save_pretrained"});
  expect_refused(touch("tf_model.h5"), ErrorCode::unsupported, {"tf_model.h5", "from_pretrained('FOLDER', from_tf=True).save_pretrained"});
  expect_refused(touch("phi.tflite"), ErrorCode::unsupported, {"phi.tflite", "LiteRT"});
  expect_refused(touch("model.onnx"), ErrorCode::unsupported, {"model.onnx", "exported"});
  expect_refused(touch("model.safetensors"), ErrorCode::unsupported, {"name the folder"});
  expect_refused(touch("notes.txt"), ErrorCode::unsupported, {"notes.txt", "is a file"});
}

TEST_F(ModelArgument, AGgufFileIsAModel) {
  const auto reference = resolve_model(touch("phi.GGUF"));
  ASSERT_TRUE(reference.has_value()) << reference.error().message;
  EXPECT_EQ(reference->path.filename(), "phi.GGUF");
  touch("files/a.gguf");
  touch("files/b.gguf");
  expect_refused((folder_ / "files").string(), ErrorCode::invalid_argument, {"name the file", "a.gguf"});
}

TEST_F(ModelArgument, RefusesFoldersThatHoldOnlySuchFiles) {
  touch("pickled/config.json", "{}");
  touch("pickled/pytorch_model.bin");
  expect_refused((folder_ / "pickled").string(), ErrorCode::unsupported, {"pytorch_model.bin", "pickle"});
  touch("pickled/model.safetensors");
  EXPECT_TRUE(resolve_model((folder_ / "pickled").string()).has_value()) << "safetensors beside it are read";
}

TEST_F(ModelArgument, RefusesQuantizedCheckpointsNamingTheMethod) {
  for (const char* method : {"gptq", "awq", "bitsandbytes"}) {
    touch("quantized/config.json", fmt::format(R"({{"model_type": "phi3", "quantization_config": {{"quant_method": "{}", "bits": 4}}}})", method));
    touch("quantized/model.safetensors");
    expect_refused((folder_ / "quantized").string(), ErrorCode::unsupported, {"quantized already", method});
  }
}

}  // namespace
}  // namespace phiscope
