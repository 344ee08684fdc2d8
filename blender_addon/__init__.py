"""VividTalk for Blender: speech to editable facial animation. Imports nothing of bpy until registered."""
