#include <spirv/unified1/spirv.h>
#include <vulkan/vulkan.h>

/* How many devices the drivers beside the loader offer; -1 where there is none. */
int device_count(void) {
    VkInstanceCreateInfo wanted = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
    VkInstance instance;
    uint32_t count = 0;
    if (vkCreateInstance(&wanted, 0, &instance) != VK_SUCCESS) {
        return -1;
    }
    vkEnumeratePhysicalDevices(instance, &count, 0);
    vkDestroyInstance(instance, 0);
    return (int) count;
}
