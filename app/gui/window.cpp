#include "app/gui/window.h"

#include <imgui.h>
#include <imgui_impl_glfw.h>
#include <imgui_impl_opengl3.h>
#include <implot.h>

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <algorithm>

namespace phiscope::gui {
namespace {

// The few functions of OpenGL that are needed beside ImGui's own loader.
using ReadPixels = void (*)(int, int, int, int, unsigned, unsigned, void*);
using Viewport = void (*)(int, int, int, int);
using ClearColor = void (*)(float, float, float, float);
using Clear = void (*)(unsigned);
constexpr unsigned kColorBufferBit = 0x4000, kRgba = 0x1908, kUnsignedByte = 0x1401;

template <class Function>
Function gl(const char* name) {
  return reinterpret_cast<Function>(glfwGetProcAddress(name));
}

std::string last_problem;

void remember_problem(int /*code*/, const char* text) { last_problem = text; }

}  // namespace

Result<std::unique_ptr<Window>> Window::open(WindowOptions options) {
  glfwSetErrorCallback(&remember_problem);
  if (glfwInit() == GLFW_FALSE) {
    return fail(ErrorCode::unsupported, "no window can be opened ({}); start it inside a desktop session, or use the command line: phiscope --help",
                last_problem);
  }
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 2);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  std::unique_ptr<Window> window(new Window);
  float scale = options.scale;
  if (scale <= 0) {
    float x = 1, y = 1;
    if (GLFWmonitor* monitor = glfwGetPrimaryMonitor()) glfwGetMonitorContentScale(monitor, &x, &y);
    scale = std::max(1.0f, x);
  }
  window->scale_ = scale;
  const auto pixels = [&](int size) { return static_cast<int>(static_cast<float>(size) * scale); };
  window->window_ = glfwCreateWindow(pixels(options.width), pixels(options.height), options.title.c_str(), nullptr, nullptr);
  if (window->window_ == nullptr) {
    return fail(ErrorCode::unsupported, "no window with OpenGL 3.2 can be opened ({}); install a graphics driver (Debian: libgl1-mesa-dri)", last_problem);
  }
  window->options_ = std::move(options);
  glfwMakeContextCurrent(window->window_);
  glfwSwapInterval(1);
  glfwSetWindowUserPointer(window->window_, window.get());
  glfwSetDropCallback(window->window_, [](GLFWwindow* at, int count, const char** paths) {
    const auto* self = static_cast<const Window*>(glfwGetWindowUserPointer(at));
    if (self->options_.on_drop) self->options_.on_drop({paths, paths + count});
  });
  IMGUI_CHECKVERSION();
  ImGui::CreateContext();
  ImPlot::CreateContext();
  ImGuiIO& io = ImGui::GetIO();
  io.ConfigFlags |= ImGuiConfigFlags_NavEnableKeyboard | ImGuiConfigFlags_DockingEnable;
  io.IniFilename = nullptr;  // layout.h keeps it
  ImGui_ImplGlfw_InitForOpenGL(window->window_, true);
  ImGui_ImplOpenGL3_Init("#version 150");
  return window;
}

Window::~Window() {
  if (window_ == nullptr) {
    glfwTerminate();
    return;
  }
  ImGui_ImplOpenGL3_Shutdown();
  ImGui_ImplGlfw_Shutdown();
  ImPlot::DestroyContext();
  ImGui::DestroyContext();
  glfwDestroyWindow(window_);
  glfwTerminate();
}

bool Window::should_close() const { return glfwWindowShouldClose(window_) != GLFW_FALSE; }

void Window::ask_to_close() { glfwSetWindowShouldClose(window_, GLFW_TRUE); }

void Window::wait_events(double seconds) {
  if (seconds <= 0) {
    glfwPollEvents();
  } else {
    glfwWaitEventsTimeout(seconds);
  }
}

void Window::begin_frame() {
  ImGui_ImplOpenGL3_NewFrame();
  ImGui_ImplGlfw_NewFrame();
  ImGui::NewFrame();
}

void Window::end_frame(bool skip_drawing) {
  ImGui::Render();
  if (skip_drawing) {
    // Textures that ImGui asked for must come into being all the same.
    if (auto* textures = ImGui::GetDrawData()->Textures)
      for (ImTextureData* texture : *textures)
        if (texture->Status != ImTextureStatus_OK) ImGui_ImplOpenGL3_UpdateTexture(texture);
    return;
  }
  int width = 0, height = 0;
  glfwGetFramebufferSize(window_, &width, &height);
  static const auto viewport = gl<Viewport>("glViewport");
  static const auto clear_color = gl<ClearColor>("glClearColor");
  static const auto clear = gl<Clear>("glClear");
  const ImVec4 background = ImGui::GetStyleColorVec4(ImGuiCol_WindowBg);
  viewport(0, 0, width, height);
  clear_color(background.x, background.y, background.z, 1);
  clear(kColorBufferBit);
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
  glfwSwapBuffers(window_);
}

std::vector<unsigned char> Window::pixels(int& width, int& height) const {
  glfwGetFramebufferSize(window_, &width, &height);
  const auto row = static_cast<size_t>(width) * 4;
  std::vector<unsigned char> upside_down(row * static_cast<size_t>(height)), image(upside_down.size());
  // The back buffer after a swap is undefined: the frame is drawn once more.
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
  gl<ReadPixels>("glReadPixels")(0, 0, width, height, kRgba, kUnsignedByte, upside_down.data());
  for (size_t y = 0; y < static_cast<size_t>(height); ++y)
    std::copy_n(upside_down.data() + (static_cast<size_t>(height) - 1 - y) * row, row, image.data() + y * row);
  return image;
}

void Window::resize(int width, int height) { glfwSetWindowSize(window_, width, height); }

bool Window::is_visible() const { return glfwGetWindowAttrib(window_, GLFW_ICONIFIED) == GLFW_FALSE; }

void Window::wake() { glfwPostEmptyEvent(); }

}  // namespace phiscope::gui
